"""The main job on this machine: a Keras model in, a table out. `make demo` runs it; nothing is precomputed.

Two boards: this machine itself through agent, bootstrap and protocol; then the same machine over SSH, through an OpenSSH server of
the demo's own on loopback, where one is installed. Boards of their own would be measured at once; these two are one machine, and would
disturb one another. Everything it writes lies below build/demo.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.sshd import SSHD, Sshd, start_sshd  # noqa: E402 - the tests' own server

EXAMPLE = ROOT / "examples" / "fashion_mnist"
WORK = ROOT / "build" / "demo"


def main() -> int:
    """Run the demo; return the exit code of the profile."""
    say("downloads an inference runtime of 22 MB once (kept in the user's cache); takes about a minute")
    shutil.rmtree(WORK, ignore_errors=True)
    home = WORK / "home"
    home.mkdir(parents=True)
    server = start_sshd(WORK / "sshd") if SSHD else None
    try:
        return profile(home, server)
    finally:
        if server:
            server.stop()


def profile(home: Path, server: Sshd | None) -> int:
    """Measure this machine, then the same as a board over SSH, and list what is stored."""
    code = measure(home, "local")
    if server:
        server.let_in(home)
        add_board(home, server)
        code = code or measure(home, "loopback")
    else:
        say("no OpenSSH server here: the board over SSH is left out (Debian: apt install openssh-server)")
    edgeprof(home, "run", "list")
    return code


def add_board(home: Path, server: Sshd) -> None:
    """Add the machine behind the server as a board, and set it up."""
    how = ["--host-key", server.fingerprint, "--target", target(), "--home", WORK / "board"]
    edgeprof(home, "device", "add", "loopback", server.url, *how)
    edgeprof(home, "device", "setup", "loopback")


def measure(home: Path, device: str) -> int:
    """Profile the example's model as it is and as int8."""
    data = ["--calibration", EXAMPLE / "calibration.npz", "--eval", EXAMPLE / "test.npz"]
    recipes = ["--recipe", "fp32", "--recipe", "int8"]
    return edgeprof(home, "profile", EXAMPLE / "fashion_cnn.keras", "-d", device, *recipes, *data)


def target() -> str:
    """Return the generic target of this machine."""
    return {"x86_64": "linux-x86-64", "aarch64": "linux-aarch64"}.get(os.uname().machine, "linux-armv7")


def edgeprof(home: Path, *arguments: object) -> int:
    """Run a command of edgeprof, shown as a person would type it."""
    words = [str(word) for word in arguments]
    shown = [os.path.relpath(word, ROOT) if word.startswith(str(ROOT)) else word for word in words]
    print(f"\n$ edgeprof {' '.join(shown)}", flush=True)
    own = {"HOME": str(home), "EDGEPROF_CONFIG_DIR": str(home / "config"), "EDGEPROF_STORE": str(WORK / "results.db")}
    cache = {"EDGEPROF_CACHE_DIR": os.environ.get("EDGEPROF_CACHE_DIR") or str(user_cache())}
    return subprocess.run(
        [sys.executable, "-m", "edgeprof", *words], env={**os.environ, **own, **cache}, check=False
    ).returncode


def user_cache() -> Path:
    """Return the user's real cache, so that a second demo downloads nothing."""
    import platformdirs  # noqa: PLC0415 - after the environment was looked at

    return platformdirs.user_cache_path("edgeprof")


def say(text: str) -> None:
    """Print a remark of the demo's."""
    print(f"demo: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
