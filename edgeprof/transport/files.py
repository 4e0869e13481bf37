"""Run, push and pull, built once on `Transport.open`.

A push goes through `cat` in one exec: against `scp` that was 1.0 to 1.2 times as fast, SFTP 0.6 to 0.8. It writes beside its
place, resumes after a cut, is checked by SHA-256 on the board, and is moved into place in the same exec.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from edgeprof.errors import DeviceError, LinkLost, TransportError
from edgeprof.transport import Channel, Transport

_CHUNK_BYTES = 256 << 10
_ANSWER_S = 60.0
# Hashing on a slow board: a Pi Zero does a few dozen MB/s; ten times slower is still waited for.
_HASH_BYTES_PER_S = 2_000_000

Sent = Callable[[int, int], None]

# $1 destination, $2 its SHA-256, $3 its size. Prints one line, reads one (`append` or `fresh`), then the bytes.
_PUSH = r"""
LC_ALL=C; export LC_ALL
dest=$1; case $dest in "~/"*) dest=$HOME/${dest#"~/"} ;; esac
part=$dest.$(printf %.12s "$2").part
free() { df -Pk "$1" 2>/dev/null | awk 'NR==2 {print $4 * 1024}'; }
hash() {
  { sha256sum "$1" || busybox sha256sum "$1" || toybox sha256sum "$1" ||
    python3 -c 'import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],"rb").read()).hexdigest())' "$1"; } 2>/dev/null | cut -d' ' -f1
}
fail() { echo "error $1 $(free "$(dirname "$dest")") $2"; exit 0; }
mkdir -p "$(dirname "$dest")" 2>/dev/null || fail write "$(dirname "$dest")"
[ -f "$dest" ] && [ "$(hash "$dest")" = "$2" ] && { echo have; exit 0; }
if [ -s "$part" ]; then echo "part $(wc -c < "$part" | tr -d ' ') $(hash "$part")"; else echo "part 0 -"; fi
read -r answer
[ "$answer" = append ] || { : > "$part"; } 2>/dev/null || fail write "$part"
cat >> "$part" 2>/dev/null || fail write "$part"
got=$(wc -c < "$part" | tr -d ' ')
[ "$got" -lt "$3" ] && { echo "short $got"; exit 0; }
[ "$(hash "$part")" = "$2" ] || { rm -f "$part"; echo damaged; exit 0; }
mv -f "$part" "$dest" 2>/dev/null || fail write "$dest"
echo "done"
"""


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended; `stderr` is at most its last 64 KiB."""

    returncode: int
    stdout: bytes
    stderr: bytes


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


def run(transport: Transport, argv: Sequence[str], timeout_s: float, stdin: bytes = b"") -> Completed:
    """Run a command to its end.

    Raises:
        TimeoutError: It takes longer than `timeout_s`.
        LinkLost: The way is gone.
    """
    deadline = time.monotonic() + timeout_s
    channel = transport.open(argv)
    try:
        with suppress(BrokenPipeError):  # it may end without reading
            channel.write(stdin)
        channel.close_stdin()
        out = b"".join(_chunks(channel, deadline))
        status, err = channel.wait(max(0.1, deadline - time.monotonic()))
        return Completed(status, out, err)
    finally:
        channel.close()


def push(transport: Transport, source: Path, dest: str, sent: Sent | None = None, sha256: str | None = None) -> Pushed:
    """Put a file on the board, unless it is there; go on where an earlier try was cut.

    Args:
        transport: The way to it.
        source: The file here.
        dest: Its path there; may begin with `~/`. Folders are made.
        sent: Told bytes done and in all.
        sha256: The file's hash, where it is known already.

    Raises:
        DeviceError: No room, or not allowed to write there.
        TransportError: What arrived is damaged.
        LinkLost: The way is gone; what arrived stays for the next try.
    """
    with source.open("rb") as file:
        return _push(transport, file, dest, sent, sha256 or hashlib.file_digest(file, "sha256").hexdigest())


def push_bytes(transport: Transport, data: bytes, dest: str, sent: Sent | None = None) -> Pushed:
    """Put bytes on the board as a file; otherwise as `push`."""
    return _push(transport, BytesIO(data), dest, sent, hashlib.sha256(data).hexdigest())


def pull_bytes(transport: Transport, source: str) -> bytes:
    """Return a file of the board.

    Raises:
        DeviceError: It is not there or may not be read.
        LinkLost: The way is gone.
    """
    channel = transport.open(("cat", source))
    try:
        data = b"".join(_chunks(channel, None))
        status, err = channel.wait(_ANSWER_S)
    finally:
        channel.close()
    if status != 0:
        raise DeviceError(f"cannot read `{source}` on the board: {err.decode(errors='replace').strip()}")
    return data


def _push(transport: Transport, file: BinaryIO, dest: str, sent: Sent | None, sha256: str) -> Pushed:
    total = file.seek(0, 2)
    channel = transport.open(("sh", "-c", _PUSH, "sh", dest, sha256, str(total)))
    try:
        line = _line(channel, _ANSWER_S + total / _HASH_BYTES_PER_S)
        if line == "have":
            return Pushed(0, total, skipped=True)
        start = _resume_at(line, file, dest)
        file.seek(start)
        with suppress(BrokenPipeError):  # the board stopped reading; its last line says why
            channel.write(b"append\n" if start else b"fresh\n")
            _send(channel, file, start, total, sent)
        channel.close_stdin()
        _check(_line(channel, _ANSWER_S + total / _HASH_BYTES_PER_S), dest, total)
        return Pushed(total - start, total, start)
    finally:
        channel.close()


def _resume_at(line: str, file: BinaryIO, dest: str) -> int:
    """Return where to go on: after the part that is there, if it is the beginning of this very file."""
    if line.startswith("error"):
        raise _refused(line, dest, 0)
    _, size, digest = line.split()
    file.seek(0)
    return int(size) if int(size) and hashlib.sha256(file.read(int(size))).hexdigest() == digest else 0


def _send(channel: Channel, file: BinaryIO, start: int, total: int, sent: Sent | None) -> None:
    done = start
    while chunk := file.read(_CHUNK_BYTES):
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
        raise LinkLost(f"`{dest}` arrived only in part ({line.split()[1]} of {total} bytes)", "run it again: it goes on there")
    raise TransportError(f"`{dest}` arrived damaged: its hash differs", "run it again; a link that damages data is broken")


def _refused(line: str, dest: str, total: int) -> DeviceError:
    _, _, free, *path = line.split(" ", 3)
    where = path[0] if path else dest
    if free.isdigit() and int(free) < total:
        text = f"no room on the board for `{dest}`: {total / 1e6:.1f} MB needed, {int(free) / 1e6:.1f} MB free"
        return DeviceError(text, "make room there, or give another folder with `edgeprof device add … --home FOLDER`")
    return DeviceError(
        f"cannot write `{where}` on the board", "it is read-only or not yours: give another folder with `--home FOLDER`"
    )


def _line(channel: Channel, timeout_s: float) -> str:
    """Return the next line; the scripts here print one at a time."""
    deadline = time.monotonic() + timeout_s
    buffer = b""
    while b"\n" not in buffer:
        try:
            chunk = channel.read(max(0.1, deadline - time.monotonic()))
        except TimeoutError as exc:
            raise LinkLost("the board did not answer in time during a push", "run it again: it goes on there") from exc
        if not chunk:
            _, err = channel.wait(_ANSWER_S)
            words = err.decode(errors="replace").strip() or "it printed nothing"
            raise DeviceError(f"the board's shell ended during a push: {words}")
        buffer += chunk
    return buffer.partition(b"\n")[0].decode(errors="replace").strip()


def _chunks(channel: Channel, deadline: float | None) -> Iterator[bytes]:
    while chunk := channel.read(_ANSWER_S if deadline is None else max(0.1, deadline - time.monotonic())):
        yield chunk
