"""Virtual boards for tests: each ends with its test, also after a crash; images and snapshots outlive the tests."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgeprof import lab
from edgeprof.errors import EdgeprofError
from edgeprof.lab import debian
from tests.conftest import Cli


@pytest.fixture(scope="session")
def lab_here(cache_dir):
    """Skip where virtual boards cannot be; else let them live in the tests' own cache."""
    packages = lab.missing((*lab.TO_BOOT, *lab.TO_BUILD))
    if not sys.platform.startswith("linux") or packages:
        pytest.skip(f"no virtual boards here: apt-get install {' '.join(packages)}")
    try:
        debian.sources("bookworm")
    except EdgeprofError as exc:
        pytest.skip(f"no virtual boards here: {exc.message}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPROF_CACHE_DIR", str(cache_dir))
        yield


@pytest.fixture
def boot(lab_here, tmp_path):
    """Start boards by kind; they end with the test."""
    with ExitStack() as stack:

        def start(kind: str, **options) -> lab.VirtualBoard:
            folder = Path(tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}")
            return stack.enter_context(lab.running(lab.find_kind(kind), folder, print, **options))

        yield start


@pytest.fixture
def add(boot, cli: Cli):
    """Start a board and add it as a device of the command line's."""

    def start(kind: str, name: str = "board", **options) -> lab.VirtualBoard:
        board = boot(kind, **options)
        device = board.device(name)
        keys = ("-i", board.identity, "--host-key", board.host_key) if board.ssh_port else ()
        added = cli("device", "add", name, device.url, *keys)
        assert added.code == 0, added.err
        return board

    return start


@pytest.fixture(scope="session")
def tflite(cache_dir, example, tmp_path_factory) -> dict[str, Path]:
    """The example model as `fp32` and `int8` files."""
    from tests.conftest import environment

    folder = tmp_path_factory.mktemp("tflite")
    (folder / "home").mkdir()
    command_line = Cli(environment(folder / "home", cache_dir), folder)
    data = ("--calibration", example / "calibration.npz")
    made = command_line("compress", example / "fashion_cnn.keras", "-r", "fp32", "-r", "int8", *data, "-o", "made")
    assert made.code == 0, made.err
    return {recipe: folder / "made" / f"fashion_cnn-{recipe}.tflite" for recipe in ("fp32", "int8")}


@pytest.fixture(scope="session")
def few(example, tmp_path_factory) -> Path:
    """A hundred samples with labels: an emulated processor is slow."""
    import numpy as np

    whole = np.load(example / "test.npz")
    path = tmp_path_factory.mktemp("eval") / "few.npz"
    np.savez(path, x=whole["x"][:100], y=whole["y"][:100])
    return path
