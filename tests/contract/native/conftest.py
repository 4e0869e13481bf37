"""The native agent as boards get it, and one that watches over its own memory."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edgeprof.remote import native
from tests.contract.agent.conftest import native_program, provision, selftest

__all__ = ["native_program", "provision", "selftest"]


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program under AddressSanitizer and UndefinedBehaviorSanitizer: any fault ends it with status 99."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here: `apt install gcc`")
    program = tmp_path_factory.mktemp("watched") / native.PROGRAM
    watch = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
    command = [
        compiler,
        "-std=gnu11",
        *watch,
        "-o",
        str(program),
        *map(str, native.sources()),
        "-ldl",
        "-lm",
        "-pthread",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "cannot find" in done.stderr:
        pytest.skip("gcc has no sanitizers here: `apt install libasan8 libubsan1`")
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the runtime leaves behind at the end is not ours to judge: leaks are not looked for."""
    monkeypatch.setenv("ASAN_OPTIONS", "exitcode=99:detect_leaks=0:allocator_may_return_null=1")
    monkeypatch.setenv("UBSAN_OPTIONS", "exitcode=99:print_stacktrace=1")
