"""A real PostgreSQL server on loopback, with data of its own; it ends with the test."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sshd import free_port

_BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), default=None)
_SETTINGS = "-c listen_addresses=127.0.0.1 -c fsync=off -c port={port} -c unix_socket_directories={folder}"


def missing() -> str:
    """Return what is missing for a server, or an empty text."""
    if _BIN is None or not (_BIN / "initdb").exists():
        return "no PostgreSQL server: `apt install postgresql`"
    return "" if os.geteuid() or shutil.which("setpriv") else "no setpriv: PostgreSQL does not run as root"


@contextmanager
def running() -> Iterator[str]:
    """Start a server; yield the URL of its database, ready."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="edgeprof-pg-"))
    if not os.geteuid():
        shutil.chown(folder, "postgres")
    control = ("pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-t", "60")
    try:
        _run("initdb", "-D", f"{folder}/data", "-U", "edgeprof", "-A", "trust", "-E", "UTF8", "--no-sync")
        _run(*control, "-o", _SETTINGS.format(port=port, folder=folder), "start")
        try:
            yield f"postgresql+psycopg://edgeprof@127.0.0.1:{port}/postgres"
        finally:
            _run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *args: str) -> None:
    user = []
    if not os.geteuid():
        found = pwd.getpwnam("postgres")
        user = ["setpriv", f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--clear-groups"]
    done = subprocess.run(
        [*user, str(_BIN / program), *args],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr}")
