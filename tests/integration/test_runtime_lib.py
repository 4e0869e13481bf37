"""A runtime's library that lies on the board already: `--runtime-lib`."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.diagonal import write_diagonal


@pytest.fixture
def library() -> Path:
    """LiteRT as this machine has it, which the board is."""
    found = find_spec("ai_edge_litert")
    if found is None or found.origin is None:
        pytest.skip("no LiteRT here")
    return Path(found.origin).with_name("libLiteRt.so")


def test_a_library_that_is_on_the_board_is_used_and_recorded_and_nothing_of_a_runtime_is_pushed(cli, library, tmp_path):
    model = write_diagonal(tmp_path / "twice.tflite", 2)
    setup = cli("device", "setup", "local", "--runtime-lib", f"{library}=2.3.0", "--json")
    done = cli(
        "profile", model, "-d", "local", "--runtime-lib", f"{library}=2.3.0", "--launches", "1", "--runs", "70",
        "--no-energy", "--json",
    )  # fmt: skip

    assert setup.code == 0, setup.err
    assert setup.json()["items"][0]["pushed_bytes"] < 1_000_000
    assert done.code == 0, done.err
    runtime = done.json()["items"][0]["runtime"]
    assert (runtime["name"], runtime["version"]) == ("litert", "2.3.0")
    assert runtime["library_sha256"] == hashlib.sha256(library.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("/no/such/libLiteRt.so=2.3.0", "there is no file `/no/such/libLiteRt.so` on the board"),
        ("/bin/true=2.3.0", "cannot dynamically load"),
        ("{library}=2.1.0", "LiteRT 2.1.0: this agent knows the C interface of 2.2 to 2.x"),
    ],
)
def test_what_is_no_library_of_litert_is_named(cli, library, given, message):
    done = cli("device", "setup", "local", "--runtime-lib", given.format(library=library))

    assert done.code == 1
    assert message in done.err
    assert "hint: " in done.err
