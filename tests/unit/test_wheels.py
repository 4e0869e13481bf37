"""Runtimes out of pinned wheels: what fits, what is refused, what an archive holds."""

import hashlib
import tarfile
import tomllib
import zipfile

import pytest

from edgeprof import resources
from edgeprof.errors import DeviceError, TransportError, UsageError
from edgeprof.remote import GivenLibrary, parse_library
from edgeprof.remote.pyz import agent_archive
from edgeprof.remote.wheels import RuntimePackage, Wheel, find_package, packed, pip_reason


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEPROF_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made_wheel(folder, content: bytes) -> Wheel:
    path = folder / "ai_edge_litert-9.9.0-cp311-cp311-manylinux_2_27_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ai_edge_litert/libLiteRt.so", content)
        archive.writestr("ai_edge_litert/interpreter.py", "not for the board")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel("ai-edge-litert", "9.9.0", "any", "x86_64", path.name, digest, path.stat().st_size)


def test_a_host_without_a_network_is_told_apart_from_an_index_without_the_wheel():
    warned = (
        "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by "
        "'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a "
        "new connection: [Errno -3] Temporary failure in name resolution')': /simple/ai-edge-litert/\n"
    )
    last = "ERROR: No matching distribution found for ai-edge-litert==9.9.0"

    assert pip_reason(warned + last).endswith("cannot be reached: [Errno -3] Temporary failure in name resolution")
    assert pip_reason(last) == last
    assert pip_reason("") == "no word of it"


def test_every_pin_is_whole():
    text = (resources.folder("device_agents") / "runtimes.toml").read_text()

    pins = [Wheel(**table) for table in tomllib.loads(text)["wheel"]]

    assert len(pins) >= 20
    for pin in pins:
        assert len(pin.sha256) == 64
        assert pin.file.endswith(".whl")
        assert pin.machine in pin.file
        assert pin.version in pin.file


@pytest.mark.parametrize("machine", ["aarch64", "x86_64"])
@pytest.mark.parametrize("python", [(3, 7), (3, 13)])
def test_litert_needs_no_particular_python(machine, python):
    package = find_package("litert", machine, python)

    assert (package.version, package.site_packages) == ("2.3.0", False)
    assert machine in package.folder


def test_tflite_runtime_brings_numpy_along_but_for_armv7():
    with_numpy = find_package("tflite-runtime", "aarch64", (3, 11))
    without = find_package("tflite-runtime", "armv7l", (3, 11))

    assert [wheel.distribution for wheel in with_numpy.wheels] == ["tflite-runtime", "numpy"]
    assert (len(without.wheels), without.site_packages) == (1, True)


def test_no_wheel_for_a_python_names_those_there_are():
    with pytest.raises(DeviceError, match="no wheel of tflite-runtime for aarch64 and Python 3.13") as caught:
        find_package("tflite-runtime", "aarch64", (3, 13))

    assert "cp311/aarch64" in caught.value.hint


def test_a_given_wheel_is_taken_without_a_network(tmp_path):
    wheel = made_wheel(tmp_path, b"library")
    package = RuntimePackage("litert", "9.9.0", "litert-9", (wheel,), site_packages=False)

    archive = packed(package, [tmp_path / wheel.file], lambda _: None)

    with tarfile.open(archive) as opened:
        assert sorted(opened.getnames()) == ["libLiteRt.so", "runtime.json"]


def test_a_given_wheel_with_another_hash_is_refused(tmp_path):
    wheel = made_wheel(tmp_path, b"library")
    made_wheel(tmp_path, b"something else")
    package = RuntimePackage("litert", "9.9.0", "litert-9", (wheel,), site_packages=False)

    with pytest.raises(UsageError, match="is not the pinned wheel: its hash differs") as caught:
        packed(package, [tmp_path / wheel.file], lambda _: None)

    assert wheel.sha256 in caught.value.hint


def test_a_download_that_fails_says_how_to_bring_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    wheel = Wheel(
        "ai-edge-litert",
        "9.9.0",
        "any",
        "x86_64",
        "ai_edge_litert-9.9.0-cp311-cp311-manylinux_2_27_x86_64.whl",
        "0" * 64,
        1,
    )
    package = RuntimePackage("litert", "9.9.0", "litert-9", (wheel,), site_packages=False)

    with pytest.raises(TransportError, match="`pip download` of ai_edge_litert-9.9.0") as caught:
        packed(package, [], lambda _: None)

    assert "--wheel" in caught.value.hint


def test_a_download_that_is_not_what_was_pinned_is_refused(tmp_path, monkeypatch):
    """A local folder as index: what `pip download` finds there has another hash than the pin."""
    (tmp_path / "index").mkdir()
    real = made_wheel(tmp_path / "index", b"tampered")
    with zipfile.ZipFile(tmp_path / "index" / real.file, "a") as archive:
        archive.writestr(
            "ai_edge_litert-9.9.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 9.9.0\n"
        )
        archive.writestr(
            "ai_edge_litert-9.9.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_27_x86_64\n"
        )
        archive.writestr("ai_edge_litert-9.9.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    package = RuntimePackage("litert", "9.9.0", "litert-9", (real,), site_packages=False)

    with pytest.raises(UsageError, match="the index gave another ai_edge_litert-9.9.0"):
        packed(package, [], lambda _: None)

    assert not list((resources.cache_dir() / "wheels").glob("*.whl"))


def test_the_agents_archive_is_the_same_every_time():
    first, second = agent_archive(), agent_archive()

    assert first == second
    assert first[1] == hashlib.sha256(first[0]).hexdigest()


def test_the_agents_archive_holds_no_compiled_code_and_no_dates(tmp_path):
    path = tmp_path / "agent.pyz"
    path.write_bytes(agent_archive()[0])

    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()

    assert [entry.filename for entry in entries if entry.filename.endswith(".pyc")] == []
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_a_library_on_the_board_is_a_path_and_the_version_that_it_does_not_say():
    assert parse_library("/usr/lib/a=b/libLiteRt.so=2.3.0") == GivenLibrary("/usr/lib/a=b/libLiteRt.so", "2.3.0")


@pytest.mark.parametrize("text", ["libLiteRt.so=2.3.0", "/usr/lib/libLiteRt.so", "/usr/lib/libLiteRt.so=new", "=2.3.0"])
def test_a_library_without_a_place_or_a_version_is_refused(text):
    with pytest.raises(UsageError, match="not a library on a board") as caught:
        parse_library(text)

    assert "libLiteRt.so=2.3.0" in caught.value.hint
