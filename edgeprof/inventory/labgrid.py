"""Places of a labgrid coordinator, through `labgrid-client`, which lives in an environment of its own.

`labgrid` brings a fork of pyserial that owns the same folder as ours: the two must never be installed together.
"""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from edgeprof.devices import Device
from edgeprof.errors import DeviceError, TransportError, UsageError
from edgeprof.inventory import LABGRID, Look, Say
from edgeprof.names import did_you_mean

CLIENT_VARIABLE = "EDGEPROF_LABGRID_CLIENT"
_CLIENT = "labgrid-client"
_VIAS = {"ssh": "NetworkService", "serial": "NetworkSerialPort"}
_SLICE_S = 0.3
_ANSWER_S = 60.0
_RELEASE_S = 20.0
# Ends when its standard input does, which is when we die, however: then the place is free again.
_RELEASE = 'cat >/dev/null; "$1" -p "$2" release; [ -z "$3" ] || "$1" cancel-reservation "$3"'
_RESOURCE = re.compile(r"^Acquired resource '.*?' \(.*?\):\n((?: .*\n?)+)", re.MULTILINE)
_PLACE = re.compile(r"^Place '(.+)':", re.MULTILINE)
_TOKEN = re.compile(r"LG_TOKEN=(\S+)")


@dataclass(frozen=True, slots=True)
class PlaceAddress:
    """What a `labgrid://` URL says.

    Attributes:
        url: As the user wrote it.
        place: The place's name, or `None` where tags choose.
        tags: Pairs that a place must have.
        user: Who logs in, or `None` for whom the place names.
        coordinator: Its `host:port`, or `None` for what labgrid's own `LG_COORDINATOR` says.
        via: `ssh` or `serial`, or `None` for the first that the place has.
    """

    url: str
    place: str | None
    tags: tuple[tuple[str, str], ...]
    user: str | None
    coordinator: str | None
    via: str | None


def parse_place(url: str) -> PlaceAddress:
    """Read `labgrid://[user@]PLACE`, or `labgrid://[user@]?tag=value`; options are `coordinator` and `via`.

    Raises:
        UsageError: It names neither a place nor a tag, or `via` is unknown.
    """
    where, _, query = url[len(LABGRID) :].partition("?")
    user, _, place = where.rpartition("@")
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    coordinator, via = pairs.pop("coordinator", None), pairs.pop("via", None)
    place = place.rstrip("/")
    if via is not None and via not in _VIAS:
        raise UsageError(f"`via={via}` in `{url}` is unknown", did_you_mean(via, _VIAS) + "known: ssh, serial")
    if bool(place) == bool(pairs):
        hint = "write labgrid://PLACE, or labgrid://?board=pi5 for any place with that tag"
        raise UsageError(f"`{url}` must name a place, or tags, and not both", hint)
    return PlaceAddress(url, place or None, tuple(pairs.items()), user or None, coordinator, via)


def borrow_place(device: Device, say: Say, look: Look) -> "Place":
    """Acquire the place that a device's URL asks for, waiting in the coordinator's queue where others have it.

    Raises:
        See `edgeprof.inventory.borrow`.
    """
    address = parse_place(device.url)
    client = _Client(address, look)
    name, token, ours = _acquired(address, client, say)
    place = Place(client, name, token, ours=ours)
    try:
        shown = client.run("-p", name, "show")
        place.resources = _resources(shown)
        place.device = replace(device, url=way_to(address, name, place.resources))
    except BaseException:
        place.end()
        raise
    return place


class Place:
    """A lease of a place; see `edgeprof.inventory.Lease`."""

    device: Device

    def __init__(self, client: "_Client", name: str, token: str | None, *, ours: bool) -> None:
        self._client, self._name = client, name
        self.resources: tuple[dict[str, Any], ...] = ()
        self._releasing = client.start_release(name, token) if ours else None

    def cycle(self) -> bool:
        """See `Lease`."""
        if not any("Power" in resource["cls"] for resource in self.resources):
            return False
        try:
            self._client.run("-p", self._name, "power", "cycle")
        except _Refused as exc:
            raise TransportError(f"the power of `{self._name}` was not switched: {exc}", "look at labgrid") from exc
        return True

    def end(self) -> None:
        """See `Lease`; a place that the user had acquired by hand stays theirs."""
        if self._releasing is None or self._releasing.stdin is None:
            return
        with suppress(OSError):
            self._releasing.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._releasing.wait(_RELEASE_S)


class _Refused(Exception):  # noqa: N818 - what the client said; turned into one of ours
    """The client's own words."""


class _Client:
    """Runs `labgrid-client`."""

    def __init__(self, address: PlaceAddress, look: Look) -> None:
        self._program, self._look = client_program(), look
        self._env = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if address.coordinator:
            self._env["LG_COORDINATOR"] = address.coordinator

    def run(self, *argv: str, **env: str) -> str:
        """Return what a command prints.

        Raises:
            _Refused: It failed.
            TransportError: The coordinator cannot be reached, or does not answer.
        """
        command = [self._program, *argv]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env={**self._env, **env}, timeout=_ANSWER_S,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as exc:
            raise _unreachable(self._env, f"no answer in {_ANSWER_S:g} s") from exc
        if done.returncode == 0:
            return done.stdout
        said = _said(done.stderr)
        if "Could not connect to coordinator" in said:
            raise _unreachable(self._env, "it cannot be reached")
        raise _Refused(said)

    def reserve(self, filters: Sequence[str]) -> str:
        """Wait in the queue; return the token of what was allocated.

        Raises:
            _Refused: It failed.
        """
        command = [self._program, "reserve", "--wait", "--shell", *filters]
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, env=self._env, start_new_session=True, **pipes) as process:
            try:
                while True:
                    with suppress(subprocess.TimeoutExpired):
                        out, err = process.communicate(timeout=_SLICE_S)
                        break
                    self._look()
            except BaseException:
                process.kill()
                out, _ = process.communicate()
                self._forget(out)
                raise
        token = _TOKEN.search(out)
        if process.returncode or not token:
            self._forget(out)
            raise _Refused(_said(err))
        return token[1]

    def start_release(self, name: str, token: str | None) -> subprocess.Popen[str]:
        """Start what gives the place back when its standard input ends."""
        command = ["sh", "-c", _RELEASE, "sh", self._program, name, token or ""]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
            env=self._env, start_new_session=True,
        )  # fmt: skip

    def _forget(self, out: str) -> None:
        token = _TOKEN.search(out or "")
        if token:
            with suppress(_Refused, TransportError):
                self.run("cancel-reservation", token[1])


def client_program() -> str:
    """Return the path of labgrid's client.

    Raises:
        UsageError: It is not installed; the hint says how.
    """
    wanted = os.environ.get(CLIENT_VARIABLE, _CLIENT)
    found = shutil.which(wanted)
    if found is None:
        hint = f"`pipx install labgrid` (never beside edgeprof: both bring a `serial`), or name it in {CLIENT_VARIABLE}"
        raise UsageError(f"`{wanted}` is not here: boards of a labgrid coordinator need it", hint)
    return found


def _acquired(address: PlaceAddress, client: _Client, say: Say) -> tuple[str, str | None, bool]:
    """Return the name of the place that is ours now, its reservation's token, and whether it is ours to give back."""
    try:
        if address.place is not None:
            try:
                client.run("-p", address.place, "acquire")
            except _Refused as exc:
                if "You have already acquired" in str(exc):
                    say(f"place `{address.place}` is yours already; it stays so")
                    return address.place, None, False
                if "already acquired by" not in str(exc):
                    raise
                say(f"waiting in labgrid's queue: {str(exc).partition('. ')[0]}")
            else:
                return address.place, None, True
        wanted = address.tags or (("name", address.place),)
        token = client.reserve([f"{key}={value}" for key, value in wanted])
        client.run("-p", "+", "acquire", LG_TOKEN=token)
        found = _PLACE.search(client.run("-p", "+", "show", LG_TOKEN=token))
        return (found[1] if found else "+"), token, True
    except _Refused as exc:
        raise UsageError(f"labgrid refuses `{address.url}`: {exc}", f"`{_CLIENT} places -v` shows all places") from exc


def _resources(shown: str) -> tuple[dict[str, Any], ...]:
    """Return the resources of a place as `show` prints them: literals of Python, one after another."""
    return tuple(ast.literal_eval(match[1].strip()) for match in _RESOURCE.finditer(shown))


def way_to(address: PlaceAddress, name: str, resources: Sequence[dict[str, Any]]) -> str:
    """Return the URL of what the place is reached by.

    Raises:
        DeviceError: Nothing of it is available that edgeprof can speak to.
    """
    wanted = (address.via,) if address.via else tuple(_VIAS)
    for via in wanted:
        for resource in resources:
            if resource["cls"] == _VIAS[via] and resource["avail"]:
                return _resource_url(address, name, resource["cls"], resource["params"])
    there = ", ".join(resource["cls"] for resource in resources) or "nothing"
    hint = f"it needs a {' or a '.join(_VIAS[via] for via in wanted)} that is available; it has: {there}"
    raise DeviceError(f"place `{name}` has nothing that edgeprof can speak to", hint)


def _resource_url(address: PlaceAddress, name: str, kind: str, params: dict[str, Any]) -> str:
    if (params.get("extra") or {}).get("proxy_required"):
        hint = "run edgeprof where the board can be reached, or start the exporter without `--isolated`"
        raise DeviceError(f"place `{name}` is reached through a proxy of labgrid's only", hint)
    if kind == _VIAS["ssh"]:
        user = address.user or params.get("username")
        return f"ssh://{f'{user}@' if user else ''}{_host(params['address'])}:{params.get('port') or 22}"
    scheme = "rfc2217" if params.get("protocol", "rfc2217") == "rfc2217" else "socket"
    user = f"{address.user}@" if address.user else ""
    speed = f"?baud={params['speed']}" if params.get("speed") else ""
    return f"{scheme}://{user}{_host(params['host'])}:{params['port']}{speed}"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _said(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix(f"{_CLIENT}: Error: ") if lines else "it gives no reason"


def _unreachable(env: dict[str, str], why: str) -> TransportError:
    place = env.get("LG_COORDINATOR", "127.0.0.1:20408")
    hint = "set LG_COORDINATOR, or `?coordinator=HOST:PORT` in the URL"
    return TransportError(f"labgrid's coordinator at {place}: {why}", hint)
