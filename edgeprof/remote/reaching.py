"""The way to a device: opened, looked at, and asked what it is, with nothing of ours left running."""

import getpass
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from edgeprof.devices import Device
from edgeprof.inventory import borrow
from edgeprof.remote.agent import LinuxAgent
from edgeprof.remote.bootstrap import Say, SetupOptions
from edgeprof.remote.given import parse_library
from edgeprof.remote.oneshot import OneShotAgent, shell_probe
from edgeprof.remote.programs import AgentFiles, push_linux_agent, push_script
from edgeprof.remote.stopping import StoppableTransport
from edgeprof.remote.survey import EVERY_PYTHON, Survey, survey, usable_pythons
from edgeprof.remote.wire import Wire
from edgeprof.transport import Transport, connect
from edgeprof.transport.adb import HOME as PHONE_HOME

Stop = threading.Event | None


def way(device: Device, say: Say, stop: Stop = None) -> Transport:
    """Return the way to a device; its waits end once `stop` is set."""
    found = connect(device.url, host_key=device.host_key, identity=device.identity, say=say)
    return found if stop is None else StoppableTransport(found, stop)


def probe_board(device: Device, say: Say) -> dict[str, Any]:
    """Ask a device what it is; it needs the agent or, without a Python, a shell script for that, and no runtime.

    Returns:
        What the protocol's section "Probe" lists.

    Raises:
        TransportError: It cannot be reached.
        DeviceError: It has no POSIX shell, or another host holds it.
    """
    with _reached(device, say) as transport:
        options = completed(device, SetupOptions())
        found = survey(transport, options.home, (*options.pythons, *EVERY_PYTHON))
        usable = usable_pythons(found)
        if not usable:
            script, _ = push_script(transport, found, say)
            return shell_probe(transport, script, found.home)
        return started(transport, device, push_linux_agent(transport, found, usable[0][1], say)).probe()


@contextmanager
def looked_at(device: Device, say: Say) -> Iterator[tuple[Transport, Survey]]:
    """Give the way to a device, and what it is; no agent of ours runs there.

    Raises:
        TransportError: It cannot be reached.
        DeviceError: It has no POSIX shell, or no folder for us.
    """
    with _reached(device, say) as transport:
        yield transport, survey(transport, completed(device, SetupOptions()).home, ())


@contextmanager
def _reached(device: Device, say: Say) -> Iterator[Transport]:
    lease = borrow(device, say)
    try:
        with closing(way(lease.device, say)) as transport:
            yield transport
    finally:
        lease.end()


def completed(device: Device, options: SetupOptions) -> SetupOptions:
    """Return the options with what the device says where they leave it open."""
    usual = PHONE_HOME if device.url.lower().startswith("adb:") else options.home
    return replace(
        options,
        home=device.home or usual,
        runtime=options.runtime or device.runtime,
        pythons=(sys.executable,) if device.url == "local:" else options.pythons,
        library=options.library or (parse_library(device.runtime_lib) if device.runtime_lib else None),
    )


def started(transport: Transport, device: Device, agent: AgentFiles) -> LinuxAgent:
    """Start an agent that lies on the board, and return it."""
    wire = Wire(transport.open(agent.command), device.name)
    if agent.script is None:
        return LinuxAgent(wire, owner())
    return OneShotAgent(wire, owner(), transport, agent.script, agent.home)


def owner() -> str:
    """Return who asks, for those who find a board taken: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
