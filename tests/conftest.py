"""What every test may ask for: the real command line, the real models, folders of its own."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pytest

from tests.faultlist import times

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every command that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# So does `nohup` with a hang-up, and a shell cannot trap what was ignored when it began.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Containers often tell Python to write no byte code: then each of a thousand commands compiles all of ours anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "fashion_mnist"
# Modules of these begin in this share of the way to the end: one that takes minutes at the end leaves workers idle.
_EARLY = {"boards": 0.7, "integration": 0.9}
# On one worker: what they share is made once. Each other module of virtual boards is such a group by itself.
_TOGETHER = {
    "tests/accuracy/test_host.py": "the models of MLPerf Tiny",
    "tests/compress/test_at_once.py": "small trained models",
    "tests/compress/test_bridge.py": "small trained models",
    "tests/compress/test_compression.py": "models of many kinds",
    "tests/compress/test_error_report.py": "small trained models",
    "tests/compress/test_flatbuffer.py": "models of many kinds",
    "tests/compress/test_inspection.py": "models of many kinds",
    "tests/compress/test_named_inputs.py": "a model of named inputs",
    "tests/compress/test_op_versions.py": "small trained models",
    "tests/compress/test_recipes_effect.py": "small trained models",
    "tests/compress/test_structure.py": "the example with less in it",
    "tests/boards/test_gate.py": "a board that counts",
    "tests/boards/test_instructions.py": "a board that counts",
    "tests/boards/test_labgrid.py": "a board at its console",
    "tests/boards/test_no_python.py": "a board without Python",
    "tests/boards/test_restarted.py": "a board without Python",
    "tests/boards/test_serial.py": "a board at its console",
    "tests/contract/native/test_faults.py": "an agent under sanitizers",
    "tests/integration/test_labgrid.py": "a coordinator of labgrid",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix the folders, module by module: what computes runs beside what waits, and few virtual boards at once.

    Workers take the tests in this order: `--no-loadscope-reorder`.
    """
    folders: dict[str, dict[Path, list[pytest.Item]]] = {}
    for item in items:
        folder = item.path.relative_to(ROOT).parts[1]
        folders.setdefault(folder, {}).setdefault(item.path, []).append(item)
    placed = [
        (_EARLY.get(folder, 1.0) * number / len(modules), members)
        for folder, modules in folders.items()
        for number, members in enumerate(modules.values())
    ]
    items[:] = [item for _, members in sorted(placed, key=lambda pair: pair[0]) for item in members]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Schedule groups by module; the mark `xdist_group` of pytest-xdist 3.8 does nothing under pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return _TOGETHER.get(module, module if module.startswith("tests/boards/") else nodeid)

    return Groups(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_terminal_summary(terminalreporter) -> None:
    """Say how long the faults took: CI is to have them all in 6 minutes."""
    reports = [one for found in terminalreporter.stats.values() for one in found if isinstance(one, pytest.TestReport)]
    if said := times(reports):
        terminalreporter.write_line(said)


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> dict:
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """`edgeprof` as a subprocess, with a home, configuration and store of its own."""

    env: dict[str, str]
    folder: Path

    def __call__(self, *args: object, timeout: float = 600, **env: str) -> Done:
        done = subprocess.run(
            self.command(*args),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *args: object, **env: str) -> subprocess.Popen:
        return subprocess.Popen(
            self.command(*args),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
        )

    @staticmethod
    def command(*args: object) -> list[str]:
        return [sys.executable, "-m", "edgeprof", *map(str, args)]


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    """Wheels and runtimes outlive the tests: they are named by their hashes."""
    folder = platformdirs.user_cache_path("edgeprof-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def cli(tmp_path: Path, cache_dir: Path) -> Cli:
    """The command line with everything of its own but the cache."""
    home = tmp_path / "home"
    home.mkdir()
    return Cli(environment(home, cache_dir), tmp_path)


def environment(home: Path, cache_dir: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(home),
        "EDGEPROF_CONFIG_DIR": str(home / "config"),
        "EDGEPROF_CACHE_DIR": str(cache_dir),
        "EDGEPROF_STORE": str(home / "results.db"),
        "COLUMNS": "250",
        "NO_COLOR": "1",
    }


@pytest.fixture(scope="session")
def data() -> Path:
    """Real models and data; the tests that need them skip where they are absent."""
    folder = os.environ.get("EDGEPROF_TEST_DATA")
    if not folder:
        pytest.skip("EDGEPROF_TEST_DATA is not set: the real models are not here")
    return Path(folder)


@pytest.fixture(scope="session")
def example() -> Path:
    """The project's own model with its data."""
    return EXAMPLE
