"""The user's own boards, in `devices.toml` of the configuration folder.

The file is the user's: a person may edit it, and their comments stay. So a device is added by appending a
table and removed by cutting its lines; the result is parsed again before it replaces the file.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean, refuse_unknown_keys
from edgeprof.resources import CONFIG_DIR_VARIABLE, config_dir, write_whole
from edgeprof.targets import load_target

RUNTIMES = ("litert", "tflite-runtime")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SECRET_KEYS = re.compile(r"(?:^|[?&;])(?:password|passwd|pass|pwd|secret|token)=", re.IGNORECASE)
_HEADER = "# The boards of `edgeprof`. Edit it, or use `edgeprof device add` and `remove`; comments stay.\n"


@dataclass(frozen=True, slots=True)
class Device:
    """One board.

    Attributes:
        name: What the user calls it: small letters, digits, `.`, `_`, `-`.
        url: The way to it: `ssh://pi@192.0.2.10`, `serial:///dev/ttyUSB0`, `adb:SERIAL`, `local:`;
            never with a password.
        target: The kind of board, or `None`.
        host_key: The key it must show, `SHA256:…`, or `None` where `known_hosts` decides.
        identity: The private key to log in with, a file; `None` for those that `~/.ssh/config` or the agent has.
        runtime: The runtime preferred on it, or `None` for whichever fits.
        runtime_lib: A LiteRT library that lies on it, as `PATH=VERSION`, or `None` for one that is pushed.
        home: Our folder on it, or `None` for the usual one.
        notes: Whatever the user wants to remember, or `None`.
    """

    name: str
    url: str
    target: str | None = None
    host_key: str | None = None
    identity: str | None = None
    runtime: str | None = None
    home: str | None = None
    notes: str | None = None
    runtime_lib: str | None = None


LOCAL = Device("local", "local:")
_KEYS = tuple(f.name for f in fields(Device) if f.name != "name")


def devices_file() -> Path:
    """Return the path of `devices.toml`; it need not exist."""
    return config_dir() / "devices.toml"


def all_devices() -> tuple[Device, ...]:
    """Return `local` and the user's devices, those by name.

    Raises:
        UsageError: The file cannot be read.
    """
    return (LOCAL, *sorted(_parse(_read()).values(), key=lambda device: device.name))


def find_device(name: str) -> Device:
    """Return the device called `name`.

    Raises:
        UsageError: There is none, or the file cannot be read.
    """
    devices = {device.name: device for device in all_devices()}
    if name not in devices:
        hint = did_you_mean(name, devices) + "`edgeprof device list` shows all"
        raise UsageError(f"unknown device: `{name}`", hint)
    return devices[name]


def add_device(device: Device) -> None:
    """Store a new device; two processes may do so at once.

    Raises:
        UsageError: A value cannot stand, the name is taken, or the file cannot be read or written.
    """
    check_device(device)
    with _locked():
        text = _read()
        devices = _parse(text)
        _refuse_taken(device.name, devices)
        _write((text.rstrip("\n") or _HEADER.rstrip("\n")) + "\n\n" + _table(device), [*devices.values(), device])


def check_device(device: Device) -> None:
    """Refuse a device that could not be added, before anybody goes to the trouble of connecting to it.

    Raises:
        UsageError: A value cannot stand, the name is taken, or the file cannot be read.
    """
    _check(device)
    if device.target is not None:
        load_target(device.target)
    if device.identity is not None and not Path(device.identity).is_file():
        raise UsageError(f"there is no private key at `{device.identity}`", "check the path given to --identity")
    _refuse_taken(device.name, _parse(_read()))


def check_name(name: str) -> None:
    """Refuse what no device may be called.

    Raises:
        UsageError: It is `local`, or holds what a name may not.
    """
    if name == LOCAL.name:
        raise UsageError("`local` is built in: it is this machine", "choose another name")
    if not _NAME.fullmatch(name):
        hint = "a name is small letters, digits, `.`, `_` and `-`, and begins with a letter or digit"
        raise UsageError(f"not a device name: `{name}`", hint)


def remove_device(name: str) -> Device:
    """Forget a device and return what it was.

    Raises:
        UsageError: There is none, it is `local`, or the file cannot be read or written.
    """
    if name == LOCAL.name:
        raise UsageError("`local` is built in and cannot be removed", "it is this machine; leave it unused")
    with _locked():
        device = find_device(name)
        text = _read()
        _write(_without(text, name), [d for d in _parse(text).values() if d != device])
    return device


def _refuse_taken(name: str, devices: dict[str, Device]) -> None:
    if name in devices:
        hint = f"`edgeprof device remove {name}` first, or choose another name"
        raise UsageError(f"there is already a device `{name}`: {devices[name].url}", hint)


def _check(device: Device) -> None:
    """Refuse what may not be stored."""
    check_name(device.name)
    _check_url(device.url)
    if device.host_key is not None and not device.host_key.startswith("SHA256:"):
        hint = "give what `ssh-keygen -lf KEYFILE` prints on the board: SHA256:…"
        raise UsageError(f"not a host key's fingerprint: `{device.host_key}`", hint)
    if device.runtime is not None and device.runtime not in RUNTIMES:
        hint = f"{did_you_mean(device.runtime, RUNTIMES)}known runtimes: {', '.join(RUNTIMES)}"
        raise UsageError(f"unknown runtime: `{device.runtime}`", hint)


def _check_url(url: str) -> None:
    if _holds_password(url):
        scheme = url.partition(":")[0]
        shown = f"{scheme}://…@{url.rpartition('@')[2]}" if "@" in url else url.partition("?")[0]
        instead = "use a key instead (`ssh-copy-id`), or the ssh agent" if scheme == "ssh" else _ASKED_LATER
        hint = f"{instead}; edgeprof stores no secret"
        raise UsageError(f"a device's URL may not hold a password: `{shown}`", hint)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as exc:
        raise UsageError(f"not a URL: `{url}` ({exc})", _URL_HINT) from exc
    if not parts.scheme or not url.isprintable() or " " in url:
        raise UsageError(f"not a URL: `{url}`", _URL_HINT)


_ASKED_LATER = "it is asked for when it is needed, or taken from EDGEPROF_SERIAL_PASSWORD"
_URL_HINT = "write ssh://USER@HOST, serial:///dev/ttyUSB0, adb:SERIAL or local:"


def _holds_password(url: str) -> bool:
    """Say whether there is `user:secret@` anywhere, or a query's `password=`."""
    address, _, query = url.partition(":")[2].partition("?")
    pieces = (address, *(pair.partition("=")[2] for pair in query.split("&")))
    return any(":" in piece.rpartition("@")[0] for piece in pieces) or bool(_SECRET_KEYS.search("?" + query))


def _read() -> str:
    try:
        return devices_file().read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"cannot read {devices_file()}: {exc}", "mend or remove that file") from exc


def _parse(text: str) -> dict[str, Device]:
    where = str(devices_file())
    try:
        root = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:  # its text ends with line and column
        raise UsageError(f"{where} is not valid TOML: {exc}", "mend that line") from exc
    refuse_unknown_keys(root, ("devices",), where)
    tables = root.get("devices", {})
    if not isinstance(tables, dict):
        raise UsageError(f"`devices` in {where} is not a table", "write [devices.NAME], then url = …")
    return {name: _device(name, table, where) for name, table in tables.items()}


def _device(name: str, table: object, where: str) -> Device:
    if not isinstance(table, dict):
        raise UsageError(f"`{name}` in {where} is not a table", f"write [devices.{name}], then url = …")
    refuse_unknown_keys(table, _KEYS, f"[devices.{name}] of {where}")
    if "url" not in table:
        raise UsageError(f"[devices.{name}] of {where} has no `url`", _URL_HINT)
    for key, value in table.items():
        if not isinstance(value, str):
            raise UsageError(f"`{key}` in [devices.{name}] of {where} must be a text", "put it in quotes")
    device = Device(name, **table)
    try:
        _check(device)
    except UsageError as exc:
        raise UsageError(f"{exc.message} (in [devices.{name}] of {where})", exc.hint) from exc
    return device


def _table(device: Device) -> str:
    """Return a device as TOML, with what is set."""
    key = f'"{device.name}"' if "." in device.name else device.name
    values = {name: getattr(device, name) for name in _KEYS}
    lines = [f"{name} = {_quoted(value)}" for name, value in values.items() if value is not None]
    return "\n".join([f"[devices.{key}]", *lines]) + "\n"


def _quoted(text: str) -> str:
    """Return a TOML basic string: JSON's escapes are among TOML's, which also wants DEL escaped.

    Source: TOML 1.0.0, "String".
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _without(text: str, name: str) -> str:
    """Return `text` without the lines of one device; comments that lead the next one stay."""
    lines = text.splitlines(keepends=True)
    headers = {f"[devices.{name}]", f'[devices."{name}"]'}
    starts = [i for i, line in enumerate(lines) if line.partition("#")[0].strip() in headers]
    if len(starts) != 1:
        return text
    end = starts[0] + 1
    last = end
    while end < len(lines) and not lines[end].lstrip().startswith("["):
        end += 1
        last = end if lines[end - 1].split("#")[0].strip() else last
    return "".join(lines[: starts[0]]).rstrip("\n") + "\n" + "".join(lines[last:])


@contextmanager
def _locked() -> Iterator[None]:
    """Hold the file against other processes; the kernel frees the lock however this one ends."""
    import fcntl  # noqa: PLC0415 - reading needs no lock

    path = devices_file().with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as exc:
        raise UsageError(f"cannot write {exc.filename}: {exc.strerror}", _FOLDER_HINT) from exc
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


_FOLDER_HINT = f"make the folder writable, or name another by {CONFIG_DIR_VARIABLE}"


def _write(text: str, expected: list[Device]) -> None:
    """Replace the file, as a whole or not at all, once `text` says exactly what is expected."""
    path = devices_file().resolve()
    if not _says(text, expected):
        hint = "edit it by hand, or write each device as a [devices.NAME] table"
        raise UsageError(f"cannot change {path}: it is not laid out as edgeprof writes it", hint)
    try:
        write_whole(path, text.encode())
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror}", _FOLDER_HINT) from exc


def _says(text: str, expected: list[Device]) -> bool:
    try:
        return _parse(text) == {device.name: device for device in expected}
    except UsageError:
        return False
