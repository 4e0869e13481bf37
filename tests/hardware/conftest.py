"""Real boards: one TOML each in the folder that EDGEPROF_TEST_HARDWARE names; without it nothing here runs.

For phones run `adb devices` first: these tests have a home of their own, and a server started from there is not allowed.

    url = "adb:R58M12ABCDE"                 # as for `edgeprof device add`
    target = "pixel-8"                      # optional, and all below as well
    wheels = ["/home/me/litert-2.3.0.aar"]
    benchmark_model = "/home/me/android_aarch64_benchmark_model"
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLE = "EDGEPROF_TEST_HARDWARE"


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

    @property
    def is_phone(self) -> bool:
        return self.url.startswith("adb:")


def boards() -> list[Real]:
    folder = os.environ.get(VARIABLE)
    if not folder:
        return []
    found = [(path.stem, tomllib.loads(path.read_text())) for path in sorted(Path(folder).glob("*.toml"))]
    return [Real(name, **{**table, "wheels": tuple(table.get("wheels", ()))}) for name, table in found]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "real" in metafunc.fixturenames:
        given = boards()
        skip = pytest.param(None, marks=pytest.mark.skip(reason=f"{VARIABLE} names no folder with boards"), id="none")
        metafunc.parametrize("real", given or [skip], ids=[board.name for board in given] or None)


@pytest.fixture
def added(real: Real, cli) -> Real:
    """The board, known to `cli` under its name."""
    known = {"--target": real.target, "--home": real.home, "--host-key": real.host_key}
    options = [word for option, value in known.items() if value for word in (option, value)]
    done = cli("device", "add", real.name, real.url, *options)
    assert done.code == 0, done.err
    return real
