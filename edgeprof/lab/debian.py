"""Debian's packages for boards: from the mirror that this machine's apt uses, whatever that is."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgeprof.errors import UsageError
from edgeprof.lab.needs import run

MIRROR_VARIABLE = "EDGEPROF_DEBIAN_MIRROR"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_SUITES = ("bullseye", "bookworm", "trixie", "forky", "sid", "testing", "stable", "oldstable")


def sources(suite: str) -> str:
    """Return apt's line for `suite`: its main part, which moves only with point releases.

    Raises:
        UsageError: No Debian mirror is known.
    """
    return f"deb [signed-by={KEYRING}] {_mirror()} {suite} main"


def fetch(suite: str, packages: Sequence[str], architectures: Sequence[str], folder: Path) -> None:
    """Download packages (`name:architecture`) into `folder` as they are, without what they depend on.

    Raises:
        UsageError: No Debian mirror is known.
        DeviceError: They could not be downloaded.
    """
    state = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True)
    (state / "sources.list").write_text(sources(suite) + "\n")
    (state / "status").touch()
    settings = {
        "Dir::State": state, "Dir::State::status": state / "status", "Dir::Cache": state / "cache",
        "Dir::Etc::sourcelist": state / "sources.list", "Dir::Etc::sourceparts": "-", "APT::Sandbox::User": "",
        "APT::Architecture": architectures[0], "Acquire::Languages": "none",
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    options += [word for name in architectures for word in ("-o", f"APT::Architectures::={name}")]
    run(["apt-get", *options, "update", "--error-on=any"], f"read the list of Debian {suite}")
    run(["apt-get", *options, "download", *packages], f"download {packages[0]}", cwd=folder)
    shutil.rmtree(state)


def _mirror() -> str:
    given = os.environ.get(MIRROR_VARIABLE)
    found = given or next(iter(_mirrors_of_apt()), None)
    if not found:
        hint = f"on Debian: `apt-get update`; elsewhere name one of those at debian.org/mirror: {MIRROR_VARIABLE}=URL"
        raise UsageError("this machine's apt knows no Debian mirror to build a virtual board from", hint)
    return found


def _mirrors_of_apt() -> list[str]:
    wanted = ["Created-By: Packages", "--format", "$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(SITE)"]
    try:
        done = subprocess.run(["apt-get", "indextargets", *wanted], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    rows = [line.split("|") for line in done.stdout.splitlines()]
    # Before the first `apt-get update` the origin is not known yet.
    return [row[3] for row in rows if row[0] in _SUITES and row[1] == "main" and row[2] in ("Debian", "", "$(ORIGIN)")]
