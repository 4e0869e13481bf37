"""Boards in folders: real runtimes from pinned wheels, the real agent under every Python that is here."""

import functools
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeprof import resources
from edgeprof.errors import DeviceError, TransportError, UsageError
from edgeprof.remote import native, wheels
from tests.contract.agent.client import Agent, Board, Runtime

PYTHONS = tuple(f"3.{minor}" for minor in range(7, 14))
TFLITE_PYTHONS = ("3.8", "3.9", "3.10", "3.11")


@functools.cache
def python(version: str) -> str | None:
    """Return an interpreter of that version: an unpacked one of pyenv's, else whatever PATH names so."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
    on_path = shutil.which(f"python{version}")
    for path in [*found, *([on_path] if on_path else [])]:
        if says(path) == version:
            return path
    return sys.executable if version == "{}.{}".format(*sys.version_info) else None


def says(path: str) -> str:
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([path, "-c", ask], capture_output=True, text=True, timeout=120, check=False).stdout.strip()


def needed_python(version: str) -> str:
    path = python(version)
    if path is None:
        pytest.skip(f"no Python {version} here")
    return path


@pytest.fixture(scope="session")
def provision(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Runtime]:
    """A function that takes a runtime out of its wheels, once for each Python it differs for."""

    @functools.cache
    def take_out(name: str, version: str) -> Runtime:
        major, minor = map(int, version.split("."))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("EDGEPROF_CACHE_DIR", str(cache_dir))
            try:
                package = wheels.find_package(name, platform.machine(), (major, minor))
                archive = wheels.packed(package, (), lambda _: None)
            except (DeviceError, TransportError) as exc:
                pytest.skip(f"{name} is not to be had here: {exc}")
        return unpacked(package.folder, archive)

    @functools.cache
    def unpacked(folder: str, archive: Path) -> Runtime:
        path = tmp_path_factory.mktemp("runtime")
        with tarfile.open(archive) as tar:
            tar.extractall(path, filter="data")
        return Runtime(folder, path)

    return take_out


@pytest.fixture(scope="session")
def native_program(cache_dir: Path) -> Path:
    """The native agent for this machine, as the host compiles it for a board."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPROF_CACHE_DIR", str(cache_dir))
        try:
            return native.native_agent(platform.machine(), print)
        except (DeviceError, UsageError) as exc:
            pytest.skip(f"no native agent here: {exc.message}")


@pytest.fixture(params=["linux", "native"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two agents: the one in Python or the one in C. They speak one protocol."""
    return request.param


@pytest.fixture
def started() -> Iterator[list[Agent]]:
    """Agents that end with the test."""
    agents: list[Agent] = []
    yield agents
    for agent in agents:
        agent.dispose()


@pytest.fixture
def start(kind: str, started: list[Agent], request: pytest.FixtureRequest) -> Callable[..., Agent]:
    """A function that starts an agent; each one is ended with the test."""
    native_command = (str(request.getfixturevalue("native_program")),) if kind == "native" else None

    def begin(board: Board, runtime: str = "none") -> Agent:
        started.append(Agent(board, native_command or board.linux_agent(sys.executable), runtime))
        return started[-1]

    return begin


@pytest.fixture
def start_python(started: list[Agent]) -> Callable[..., Agent]:
    """A function that starts the agent in Python, under a Python of one's choice."""

    def begin(board: Board, path: str, runtime: str = "none") -> Agent:
        started.append(Agent(board, board.linux_agent(path), runtime))
        return started[-1]

    return begin


@pytest.fixture
def board(tmp_path: Path, provision: Callable[[str, str], Runtime]) -> Board:
    """A board with LiteRT."""
    return Board(tmp_path / "home", (provision("litert", "3.11"),))


@pytest.fixture
def agent(board: Board, start: Callable[..., Agent], provision: Callable[[str, str], Runtime]) -> Agent:
    """An agent that was greeted, with LiteRT: of either kind."""
    begun = start(board, runtime=provision("litert", "3.11").folder)
    begun.hello()
    return begun


@pytest.fixture(params=["litert", "tflite-runtime", "native"])
def either(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    started: list[Agent],
    provision: Callable[[str, str], Runtime],
) -> Agent:
    """An agent that was greeted: in Python with either runtime, or in C with LiteRT."""
    runtime = provision("litert" if request.param == "native" else request.param, "3.11")
    board = Board(tmp_path / "home", (runtime,))
    if request.param == "native":
        command = (str(request.getfixturevalue("native_program")),)
    else:
        command = board.linux_agent(needed_python("3.11"))
    started.append(Agent(board, command, runtime.folder))
    started[-1].hello()
    return started[-1]


@pytest.fixture(scope="session")
def selftest() -> Path:
    """The model y = 2 x + 1 on four floats."""
    return Path(str(resources.folder("device_agents") / "selftest.tflite"))
