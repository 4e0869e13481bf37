"""The agent as one file whose hash is the same everywhere: sorted names, fixed dates, no compiled code."""

import hashlib
import zipfile
from io import BytesIO

from edgeprof import resources

_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16
_LAUNCHER = b"from edgeprof_agent.__main__ import main\n\nmain()\n"


def agent_archive() -> tuple[bytes, str]:
    """Return the agent's `.pyz` and its SHA-256."""
    root = resources.folder("device_agents") / "linux" / "edgeprof_agent"
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(root.rglob("*.py")):
            _add(archive, f"edgeprof_agent/{path.relative_to(root).as_posix()}", path.read_bytes())
        _add(archive, "__main__.py", _LAUNCHER)
    data = buffer.getvalue()
    return data, hashlib.sha256(data).hexdigest()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = _MODE
    entry.create_system = 3  # a zip made on another system carries another byte here
    archive.writestr(entry, data, zipfile.ZIP_STORED)
