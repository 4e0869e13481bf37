"""Real boards: one TOML each in the folder that EDGEPROF_TEST_HARDWARE names; without it nothing here runs.

For phones run `adb devices` first: these tests have a home of their own, and a server started from there is not allowed.

    url = "adb:R58M12ABCDE"                 # as for `edgeprof device add`
    target = "pixel-8"                      # optional, and all below as well
    wheels = ["/home/me/litert-2.3.0.aar"]
    benchmark_model = "/home/me/android_aarch64_benchmark_model"
    identity = "/home/me/.ssh/id_ed25519"   # for SSH; or let an agent have the key
    pin_mhz = 1500                          # or ["big=1800", "little=1200"]: the board's clocks are set, and set back
    power_mode = "15W"                      # likewise, on a Jetson
    model = "/home/me/ic01.tflite"          # what a device of MLPerf Tiny has in its firmware; else what is measured
"""

import os
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from edgeprof.tiny import is_tiny
from edgeprof.transport import Transport, connect

VARIABLE = "EDGEPROF_TEST_HARDWARE"
LISTS = {"wheels", "pin_mhz"}
_NO_BOARD = f"no board given: {VARIABLE}=FOLDER with a TOML for each; docs/boards.md, `Trying your own`"


@dataclass(frozen=True)
class Real:
    """A board that was given."""

    name: str
    url: str
    target: str | None = None
    home: str | None = None
    host_key: str | None = None
    wheels: tuple[str, ...] = ()
    benchmark_model: str | None = None
    identity: str | None = None
    pin_mhz: tuple[str, ...] = ()
    power_mode: str | None = None
    model: str | None = None

    @property
    def is_phone(self) -> bool:
        return self.url.startswith("adb:")

    @property
    def is_tiny(self) -> bool:
        return is_tiny(self.url)


def boards() -> list[Real]:
    folder = os.environ.get(VARIABLE)
    if not folder:
        return []
    given = [read_board(path) for path in sorted(Path(folder).expanduser().glob("*.toml"))]
    if not given:
        raise pytest.Collector.CollectError(f"{VARIABLE}={folder}: no *.toml there; one for each board, see {__file__}")
    return given


def read_board(path: Path) -> Real:
    """Read a board's file; what it does not say as it should ends the collecting of tests, with what and where."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise pytest.Collector.CollectError(f"{path} cannot be read: {error}") from None
    known = [field.name for field in fields(Real) if field.name != "name"]
    if unknown := sorted(table.keys() - set(known)):
        raise pytest.Collector.CollectError(f"{path}: unknown key `{unknown[0]}`; known keys: {', '.join(known)}")
    if "url" not in table:
        raise pytest.Collector.CollectError(f"{path} has no `url`")
    return Real(path.stem, **{key: _value(path, key, value) for key, value in table.items()})


def _value(path: Path, key: str, value: object) -> str | tuple[str, ...]:
    if key == "pin_mhz" and not isinstance(value, list):
        value = [value]
    wanted = list if key in LISTS else int | str if key == "power_mode" else str
    if isinstance(value, bool) or not isinstance(value, wanted):
        kind = "a list" if wanted is list else "a text"
        raise pytest.Collector.CollectError(f"{path}: `{key}` is `{value}`, and has to be {kind}")
    return tuple(map(str, value)) if isinstance(value, list) else str(value)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "real" in metafunc.fixturenames:
        given = boards()
        skip = pytest.param(None, marks=pytest.mark.skip(reason=_NO_BOARD), id="none")
        metafunc.parametrize("real", given or [skip], ids=[board.name for board in given] or None)


@pytest.fixture
def added(real: Real, cli) -> Real:
    """The board, known to `cli` under its name."""
    known = {"--target": real.target, "--home": real.home, "--host-key": real.host_key, "-i": real.identity}
    options = [word for option, value in known.items() if value for word in (option, value)]
    done = cli("device", "add", real.name, real.url, *options)
    assert done.code == 0, done.err
    return real


@pytest.fixture
def way(real: Real) -> Iterator[Transport]:
    """A connection of the test's own."""
    if real.is_tiny:
        pytest.skip("a device of MLPerf Tiny takes no commands")
    with closing(connect(real.url, host_key=real.host_key, identity=real.identity)) as opened:
        yield opened
