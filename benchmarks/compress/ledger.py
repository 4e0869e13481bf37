"""What is done: a line for each finished cell, so that a second run goes on where the first one stopped."""

import hashlib
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from benchmarks.compress.models import ROOT
from benchmarks.compress.subjects import Subject
from edgeprof.compress.cache import content_sha256
from edgeprof.compress.recipes import Recipe

ACCURACY, LATENCY, INSTRUCTIONS = "accuracy", "latency", "instructions"


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished cell.

    Attributes:
        kind: `accuracy`, `latency` or `instructions`.
        key: Hash of all that it was made from.
        run_ids: Of the runs in the store.
        artifact: Of `accuracy`: the file, below the benchmark's folder.
        commit: Of the code that measured.
        unix_s: When.
        failure: Why there is nothing, or `None`.
        took_s: Since the cell before it, or since the run began: making and measuring; `None` in lines of older code.
    """

    kind: str
    key: str
    run_ids: tuple[str, ...]
    artifact: str | None
    commit: str
    unix_s: int
    failure: str | None = None
    took_s: float | None = None


class Ledger:
    """The finished cells of a folder; the last line of a key counts."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "cells.jsonl"
        self._last_s = time.monotonic()
        lines = self._path.read_text().splitlines() if self._path.is_file() else []
        found = [Entry(**{**fields, "run_ids": tuple(fields["run_ids"])}) for fields in map(json.loads, lines)]
        self._entries = {(one.kind, one.key): one for one in found}

    def find(self, kind: str, key: str) -> Entry | None:
        """Return a finished cell, or `None`."""
        return self._entries.get((kind, key))

    def is_done(self, kind: str, key: str) -> bool:
        """Return whether a cell need not be measured; one that failed is tried again by other code."""
        found = self.find(kind, key)
        return found is not None and (found.failure is None or found.commit == commit())

    def add(
        self, kind: str, key: str, run_ids: Sequence[str] = (), artifact: str | None = None, failure: str | None = None
    ) -> None:
        """Keep a finished cell; on return it is on the disk."""
        took_s = round(time.monotonic() - self._last_s, 1)
        entry = Entry(kind, key, tuple(run_ids), artifact, commit(), round(time.time()), failure, took_s)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(entry)) + "\n")
        self._entries[kind, key] = entry
        self._last_s = time.monotonic()

    def entries(self) -> tuple[Entry, ...]:
        """Return every finished cell."""
        return tuple(self._entries.values())


def cell_key(subject: Subject, recipe: Recipe) -> str:
    """Return the hash of what accuracy is measured on: model, recipe, data in their roles, corruptions."""
    files = [
        subject.model,
        subject.calibration,
        subject.evaluation,
        *([subject.train] if recipe.steps and subject.train else []),
    ]
    return _hash([recipe.fields(), [content_sha256(path) for path in files], subject.corruptions])


def group_key(device: str, artifacts: Sequence[str]) -> str:
    """Return the hash of artifacts, by their own hashes, that take turns on a device."""
    return _hash([device, *artifacts])


@cache
def commit() -> str:
    """Return the checkout's commit, with `+` where files differ from it; `unknown` outside of one."""
    asked = ["git", "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
    found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _hash(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
