"""A real OpenSSH server on loopback, with keys of its own; for tests, the demo and the benchmarks."""

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100:30:200
AllowTcpForwarding yes
LogLevel ERROR
Subsystem sftp internal-sftp
{extra}
"""


@dataclass
class Sshd:
    """A server under way.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        folder: Its keys and configuration.
        process: Itself.
    """

    port: int
    folder: Path
    process: subprocess.Popen

    @property
    def url(self) -> str:
        return f"ssh://{current_user()}@127.0.0.1:{self.port}"

    @property
    def client_key(self) -> Path:
        return self.folder / "client_key"

    @property
    def fingerprint(self) -> str:
        shown = subprocess.run(
            ["ssh-keygen", "-lf", str(self.folder / "host_key.pub")], capture_output=True, text=True, check=True
        )
        return shown.stdout.split()[1]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def let_in(self, home: Path) -> None:
        """Give `home` a client configuration with the key that this server accepts."""
        folder = home / ".ssh"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "config").write_text(f"Host 127.0.0.1\n  IdentityFile {self.client_key}\n  IdentitiesOnly yes\n")


def start_sshd(folder: Path, extra: str = "") -> Sshd:
    """Start a server whose files lie in `folder`, and wait until it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("host_key", "client_key"):
        if not (folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized_keys").write_text((folder / "client_key.pub").read_text())
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(_CONFIG.format(port=port, folder=folder, extra=extra))
    process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    _wait(port, process)
    return Sshd(port, folder, process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def current_user() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def _wait(port: int, process: subprocess.Popen) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            raise RuntimeError(f"sshd ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError("sshd does not answer")
