"""A push: a small script in one exec, and what is said to it and by it.

That is as fast as `scp`; SFTP is not (`benchmarks/push.py`). It writes beside its place, resumes after a cut, is
checked by SHA-256 on the board, and is moved into place in the same exec.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import BinaryIO

from edgeprof.errors import DeviceError, LinkLost, TransportError
from edgeprof.transport import Channel, Transport
from edgeprof.transport.patience import left_s
from edgeprof.units import megabytes

_CHUNK_BYTES = 256 << 10
_SMALLEST_CHUNK_BYTES = 4 << 10
_HASH_CHUNK_BYTES = 1 << 20
_ANSWER_S = 60.0
_LONGEST_LINE_BYTES = 64 << 10
# Hashing on a slow board: a Pi Zero does a few dozen MB/s; ten times slower is still waited for.
_HASH_BYTES_PER_S = 2_000_000

Sent = Callable[[int, int], None]

# $1 destination, $2 size. Reads the SHA-256, prints one line, reads one (`append` or `fresh`), then the bytes.
# OpenSSL first: with the processor's own instructions it hashes four times as fast as coreutils. `tee` into the hash
# costs more than hashing the file from the page cache afterwards, and would not see what is really in the file.
# `sha`, not `hash`: in mksh, which is Android's shell, that word is an alias.
# Room is compared in KiB: mksh counts in 32 bits, and a phone's free bytes do not fit.
# `true >`, not `: >`: a special built-in that cannot redirect ends the shell.
_PUSH = r"""
LC_ALL=C; export LC_ALL
dest=$1; case $dest in "~/"*) dest=$HOME/${dest#"~/"} ;; -*) dest=./$dest ;; esac
folder=$(dirname "$dest")
free() { df -Pk "$folder" 2>/dev/null | awk 'NR == 2 {printf "%.0f", $4 * 1024}'; }
fail() { echo "error $1 $(free) $2"; exit 0; }
size() { if [ -f "$1" ]; then wc -c < "$1" 2>/dev/null | tr -d ' '; else echo 0; fi; }
if command -v openssl; then sha() { openssl dgst -sha256 -r < "$1" | cut -d' ' -f1; }
elif command -v sha256sum; then sha() { sha256sum < "$1" | cut -d' ' -f1; }
elif busybox sha256sum; then sha() { busybox sha256sum < "$1" | cut -d' ' -f1; }
elif toybox sha256sum; then sha() { toybox sha256sum < "$1" | cut -d' ' -f1; }
elif command -v python3; then sha() { python3 -c 'import hashlib, sys
digest = hashlib.sha256()
for block in iter(lambda: sys.stdin.buffer.read(1 << 18), b""): digest.update(block)
print(digest.hexdigest())' < "$1"; }
else no_hash=yes
fi < /dev/null > /dev/null 2>&1
read -r want || exit 0
part=$dest.$(printf %.12s "$want").part
[ "$no_hash" ] && fail hash sha256sum
mkdir -p "$folder" 2>/dev/null || fail write "$folder"
[ -d "$dest" ] && fail folder "$dest"
[ -f "$dest" ] && [ "$(size "$dest")" = "$2" ] && [ "$(sha "$dest" 2>/dev/null)" = "$want" ] && { echo have; exit 0; }
there=$(size "$part")
if [ "$there" -gt 0 ]; then echo "part $there $(sha "$part")"; else echo "part 0 -"; fi
read -r answer || exit 0
[ "$answer" = append ] || { true > "$part"; } 2>/dev/null || fail write "$part"
[ "$answer" = append ] || there=0
room=$(df -Pk "$folder" 2>/dev/null | awk 'NR == 2 {print $4}')
needed=$((($2 - there + 1023) / 1024))
[ "${room:-$needed}" -ge "$needed" ] || { echo "error room $(free) $dest"; rm -f "$part"; exit 0; }
cat >> "$part" 2>/dev/null || { echo "error room $(free) $part"; rm -f "$part"; exit 0; }
# The link was cut, and what came stays for the next try. A damaged part stays as well: it may be another session's
# that is under way, and nobody goes on with it.
there=$(size "$part")
[ "$there" -lt "$2" ] && { echo "short $there"; exit 0; }
[ "$there" = "$2" ] && [ "$(sha "$part")" = "$want" ] || { echo damaged; exit 0; }
mv -f "$part" "$dest" 2>/dev/null || fail write "$dest"
echo "done"
"""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did.

    Attributes:
        bytes_sent: Sent now.
        bytes_total: The file's length.
        resumed_from: Bytes that were there from an earlier try.
        skipped: The file was there already.
    """

    bytes_sent: int
    bytes_total: int
    resumed_from: int = 0
    skipped: bool = False


def push_file(transport: Transport, file: BinaryIO, dest: str, sent: Sent | None, sha256: str | None) -> Pushed:
    """Put what an open file holds on the board; the arguments and errors are those of `files.push`."""
    total = file.seek(0, 2)
    patience_s = _ANSWER_S + total / _HASH_BYTES_PER_S
    with closing(transport.open(("sh", "-c", _PUSH, "sh", dest, str(total)))) as channel:
        with suppress(BrokenPipeError):
            # While we hash, the board's shell starts.
            channel.write(f"{sha256 or _hash(file, total)}\n".encode())
        line = _line(channel, patience_s)
        if line == "have":
            return Pushed(0, total, skipped=True)
        start = _resume_at(line, file, dest, total)
        with suppress(BrokenPipeError):  # the board stopped reading; its last line says why
            channel.write(b"append\n" if start else b"fresh\n")
            # On a slow way, as many bytes as pass in half a second: progress is told in between.
            chunk = max(_SMALLEST_CHUNK_BYTES, (transport.bytes_per_s or _CHUNK_BYTES * 2) // 2)
            _send(channel, file, (start, total), sent, chunk)
        channel.close_stdin()
        _check(_line(channel, patience_s), dest, total)
        return Pushed(total - start, total, start)


def _resume_at(line: str, file: BinaryIO, dest: str, total: int) -> int:
    """Return where to go on: after the part that is there, if it is the beginning of this very file."""
    if line.startswith("error"):
        raise _refused(line, dest, total)
    word, _, rest = line.partition(" ")
    size, _, digest = rest.partition(" ")
    if word != "part" or not size.isdigit():
        raise DeviceError(f"the board's shell said `{line[:80]}` in a push", "does its start-up file print something?")
    there = int(size)
    return there if 0 < there <= total and _hash(file, there) == digest else 0


def _hash(file: BinaryIO, length: int) -> str:
    """Return the SHA-256 of a file's first bytes."""
    file.seek(0)
    digest = hashlib.sha256()
    while length > 0 and (chunk := file.read(min(length, _HASH_CHUNK_BYTES))):
        digest.update(chunk)
        length -= len(chunk)
    return digest.hexdigest()


def _send(channel: Channel, file: BinaryIO, span: tuple[int, int], sent: Sent | None, chunk_bytes: int) -> None:
    done, total = span
    file.seek(done)
    while done < total and (chunk := file.read(min(chunk_bytes, total - done))):
        channel.write(chunk)
        done += len(chunk)
        if sent:
            sent(done, total)


def _check(line: str, dest: str, total: int) -> None:
    if line == "done":
        return
    if line.startswith("error"):
        raise _refused(line, dest, total)
    if line.startswith("short"):
        text = f"`{dest}` arrived only in part ({line.split()[1]} of {total} bytes)"
        raise LinkLost(text, "run it again: it goes on there")
    raise TransportError(
        f"`{dest}` arrived damaged: its hash differs",
        "run it again; if it stays, the file changes while it is sent, or the link or the board's storage is broken",
    )


def _refused(line: str, dest: str, total: int) -> DeviceError:
    _, what, free, where = line.split(" ", 3)
    if what == "hash":
        return DeviceError(
            "the board has no openssl, sha256sum, busybox, toybox or python3", "install one: pushes are checked"
        )
    if what == "folder":
        return DeviceError(f"`{dest}` is a folder on the board", "give the file's own path")
    if what == "room" and free.isdigit() and int(free) < total:
        text = f"no room on the board for `{dest}`: {megabytes(total)} needed, {megabytes(int(free))} free"
        return DeviceError(text, "make room there, or give another folder with `edgeprof device add … --home FOLDER`")
    return DeviceError(
        f"cannot write `{where}` on the board", "it is read-only or not yours: give another folder with `--home FOLDER`"
    )


def _line(channel: Channel, timeout_s: float) -> str:
    """Return the next line; the script here prints one at a time."""
    deadline = time.monotonic() + timeout_s
    buffer = b""
    try:
        while b"\n" not in buffer and len(buffer) < _LONGEST_LINE_BYTES:
            chunk = channel.read(left_s(deadline))
            if not chunk:
                raise _ended(channel)
            buffer += chunk
    except TimeoutError as exc:
        raise LinkLost("the board did not answer in time during a push", "run it again: it goes on there") from exc
    return buffer.partition(b"\n")[0].decode(errors="replace").strip()


def _ended(channel: Channel) -> DeviceError:
    _, err = channel.wait(_ANSWER_S)
    words = err.decode(errors="replace").strip() or "it printed nothing"
    return DeviceError(f"the board's shell ended during a push: {words}", "can you run `sh` there by hand?")
