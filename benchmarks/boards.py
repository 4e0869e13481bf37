"""What many boards at once cost the host: its own processor time and memory. `python -m benchmarks.boards [HOW_MANY]`.

Every board is a login of its own at an OpenSSH server of this machine, with its own address and folder; they run a
small model at a fixed rate, so that the boards' own work leaves the machine some air.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.sshd import Sshd, current_user, start_sshd

ROOT = Path(__file__).parents[1]
SERVED = 10  # addresses of one server; OpenSSH takes 16 at most
PLAN = ("--launches", "4", "--rate", "20", "--runs", "60", "--no-energy", "--json")


def main(most: int) -> None:
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        tables = []
        for first in range(1, most + 1, SERVED):
            numbers = range(first, min(first + SERVED, most + 1))
            listen = "\n".join(f"ListenAddress 127.0.0.{n}" for n in numbers if n > 1)
            server = start_sshd(folder / f"sshd{first}", extra=listen)
            stack.callback(server.stop)
            tables += [device(folder, server, n) for n in numbers]
        (folder / "devices.toml").write_text("\n".join(tables))
        run(folder, most)  # sets the boards up
        for count in (1, most):
            run(folder, count, say=True)


def device(folder: Path, server: Sshd, number: int) -> str:
    return (
        f'[devices.d{number}]\nurl = "ssh://{current_user()}@127.0.0.{number}:{server.port}"\n'
        f'host_key = "{server.fingerprint}"\nidentity = "{server.client_key}"\nhome = "{folder}/board{number}"\n'
    )


def run(folder: Path, count: int, *, say: bool = False) -> None:
    env = {
        **os.environ,
        "HOME": str(folder),
        "EDGEPROF_CONFIG_DIR": str(folder),
        "EDGEPROF_STORE": str(folder / "r.db"),
    }
    model = ROOT / "device_agents" / "selftest.tflite"
    named = [part for n in range(1, count + 1) for part in ("-d", f"d{n}")]
    started = time.perf_counter()
    command = [sys.executable, "-m", "edgeprof", "profile", str(model), *named, *PLAN]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        errors.seek(0)
        said = errors.read().decode()
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"profile failed: {said[-2000:]}")
    if say:
        cpu = used.ru_utime + used.ru_stime
        print(
            f"{count} board{'s' if count > 1 else ''} at once: host {cpu:.2f} CPU s in {wall:.1f} s "
            f"({cpu / count:.2f} CPU s a board, {100 * cpu / wall:.0f} % of a core), peak RSS {used.ru_maxrss / 1024:.0f} MiB"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
