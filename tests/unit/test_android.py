"""What a phone needs: the library out of an AAR, and the agent by an NDK. Neither is here; what stands in is said."""

import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from edgeprof import resources
from edgeprof.boards import choose_runtime
from edgeprof.errors import DeviceError, UsageError
from edgeprof.remote import android

LIBRARY = b"\x7fELF stands in for a library"
OLDER = "runtimes/litert-2.2.9-android-aarch64-11111111/runtime.json"
NEWER = "runtimes/litert-2.10.0-android-aarch64-22222222/runtime.json"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEPROF_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def aar(folder: Path, name: str = "litert-2.3.0.aar", member: str = "jni/arm64-v8a/libLiteRt.so") -> Path:
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr(member, LIBRARY)
    return folder / name


def test_the_library_of_an_aar_becomes_a_runtime_by_its_hash(tmp_path):
    package = android.phone_runtime("aarch64", [aar(tmp_path)], ())

    with tarfile.open(resources.cache_dir() / "runtimes" / f"{package.folder}.tar.gz") as packed:
        about = json.load(packed.extractfile("runtime.json"))
        library = packed.extractfile("libLiteRt.so").read()
    assert package.folder.startswith("litert-2.3.0-android-aarch64-")
    assert about == {"name": "litert", "version": "2.3.0", "library": "libLiteRt.so", "site_packages": False}
    assert library == LIBRARY


def test_without_an_aar_the_newest_that_the_phone_has_is_used():
    package = android.phone_runtime(
        "aarch64", (), (OLDER, NEWER, NEWER.replace("aarch64", "x86_64"), "models/a.tflite")
    )

    assert (package.folder, package.version) == ("litert-2.10.0-android-aarch64-22222222", "2.10.0")


def test_a_phone_with_nothing_is_told_what_to_get():
    with pytest.raises(DeviceError) as refused:
        android.phone_runtime("aarch64", (), ("models/a.tflite",))

    assert "--wheel litert-2.3.0.aar" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "member", "words"),
    [
        ("library.aar", "jni/arm64-v8a/libLiteRt.so", "does not say LiteRT's version"),
        ("litert-1.4.1.aar", "jni/arm64-v8a/libtensorflowlite_jni.so", "has no jni/arm64-v8a/libLiteRt.so"),
    ],
)
def test_an_aar_of_another_kind_is_refused(tmp_path, name, member, words):
    with pytest.raises(UsageError, match=words):
        android.phone_runtime("aarch64", [aar(tmp_path, name, member)], ())


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "litert-2.3.0.aar").write_bytes(b"not a zip")

    with pytest.raises(UsageError, match="cannot read"):
        android.phone_runtime("aarch64", [tmp_path / "litert-2.3.0.aar"], ())


def test_a_32_bit_phone_has_no_litert(tmp_path):
    with pytest.raises(DeviceError, match="no LiteRT for `armv7l` phones"):
        android.phone_runtime("armv7l", [aar(tmp_path)], ())


def test_a_phone_runs_litert_by_the_native_agent():
    choice = choose_runtime("aarch64", "bionic", None, [])

    assert (choice.name, choice.python) == ("litert", None)
    assert "AAR" in choice.reasons[0]


def test_before_it_is_built_the_agent_says_how():
    with pytest.raises(UsageError) as refused:
        android.phone_agent("aarch64")

    assert refused.value.hint == "python -m edgeprof.remote.android /path/to/android-ndk"


def test_what_is_no_ndk_is_said_so(tmp_path):
    with pytest.raises(UsageError, match="is no Android NDK"):
        android.build(tmp_path)


def test_a_compiler_where_an_ndk_has_its_own_builds_the_agent_for_both_kinds_of_phone(tmp_path):
    """This machine's compiler stands in for the NDK's: places, names and flags are tested, not bionic."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here")
    tools = tmp_path / "ndk" / "toolchains" / "llvm" / "prebuilt" / "linux-x86_64" / "bin"
    tools.mkdir(parents=True)
    for architecture in ("aarch64", "x86_64"):
        (tools / f"{architecture}-linux-android28-clang").symlink_to(shutil.which("gcc"))

    made = android.build(tmp_path / "ndk")

    assert [path.is_file() for path in made] == [True, True]
    assert android.phone_agent("aarch64") == made[0]
