"""Evidence bundles: runs with every sample, what they say, and their hashes, in one file of the same bytes always.

A bundle is an uncompressed zip with sorted names and fixed dates. `manifest.json` lists every other file with its
SHA-256. `records/RUN.json` is all that was stored of a run; `runs.json` and `report.html` are computed from that.
"""

import hashlib
import json
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from edgeprof import version
from edgeprof.errors import EvidenceError, UsageError
from edgeprof.metrics import METHOD, estimates
from edgeprof.records import RunResult
from edgeprof.report.document import whole
from edgeprof.report.html import page
from edgeprof.report.items import run_item
from edgeprof.resources import write_whole
from edgeprof.store import read_record, record_text

SCHEMA, KIND = 1, "evidence"
_UNNAMED_METHOD = 1  # of bundles from before manifests named it
_MANIFEST = "manifest.json"
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16
# How a zip begins, also one whose end is missing.
_ZIP = b"PK\x03\x04"
_MOST_BYTES = 4 << 30
# Figures are the same when they are computed again, but for the last digits that another numpy may change.
_TOLERANCE = 1e-6
_Figures = dict[tuple[str, str], list[float | None]]  # point, low and high by name and statistic

_CHANGED = "it was changed or damaged: get it again from who made it"


@dataclass(frozen=True, slots=True)
class Verified:
    """A bundle that holds what its manifest says, and whose figures follow from its samples.

    Attributes:
        runs: Its runs.
        files: How many files it has besides the manifest.
        figures: How many figures were computed again.
        made_by: The edgeprof that wrote it.
        sha256: Of the whole file.
    """

    runs: tuple[RunResult, ...]
    files: int
    figures: int
    made_by: str
    sha256: str


def write_bundle(runs: Sequence[RunResult], output: Path) -> None:
    """Write runs as a bundle, with those of their artifacts that still lie where they were.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        write_whole(output, _zipped(_files(runs)))
    except OSError as exc:
        raise UsageError(f"cannot write `{output}`: {exc.strerror}", "name a file in a folder with room") from exc


def is_bundle(path: Path) -> bool:
    """Return whether a file begins as a bundle does; one that cannot be read does not."""
    try:
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError:
        return False


def read_bundle(path: Path) -> tuple[RunResult, ...]:
    """Return the runs of a bundle whose files are what its manifest lists, however its figures were computed.

    Raises:
        UsageError: It cannot be read, or is no bundle.
        EvidenceError: Something in it is not as it was written; the message says what.
    """
    return _records(_checked(_read(path), path)[0], path)


def verify(path: Path) -> Verified:
    """Check a bundle: its files against the manifest, its figures against its samples.

    Raises:
        UsageError: It cannot be read, or is no bundle.
        EvidenceError: Something in it is not as it was written, or a figure was computed by another method than here.
    """
    data = _read(path)
    files, manifest = _checked(data, path)
    runs, made_by = _records(files, path), str(manifest.get("edgeprof"))
    figures = _figures(files, path)
    if set(figures) != {run.run_id for run in runs}:
        raise EvidenceError(f"`runs.json` in `{path}` is about other runs than its records", _CHANGED)
    for run in runs:
        for name in _differing(figures[run.run_id], run):
            raise _does_not_follow(f"{name} of run {run.run_id} in `{path}`", manifest)
    count = sum(len(figures[run.run_id]) for run in runs)
    return Verified(runs, len(manifest["files"]), count, made_by, hashlib.sha256(data).hexdigest())


def _checked(data: bytes, path: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return a bundle's files, each with the hash that the manifest lists, and the manifest."""
    files = _unzipped(data, path)
    manifest = _manifest(files, path)
    for name, wanted in manifest["files"].items():
        if hashlib.sha256(files[name]).hexdigest() != wanted:
            raise EvidenceError(f"`{name}` in `{path}` is not what the manifest lists: its hash differs", _CHANGED)
    return files, manifest


def _does_not_follow(what: str, manifest: dict[str, Any]) -> EvidenceError:
    method = manifest.get("method", _UNNAMED_METHOD)
    if method == METHOD:
        return EvidenceError(f"{what} does not follow from its samples", _CHANGED)
    text = f"{what} was computed by method {method}, and comes out otherwise by this edgeprof's, {METHOD}"
    return EvidenceError(
        text, "every hash is right, and `run import` takes its samples; the build that wrote it can verify it"
    )


def _files(runs: Sequence[RunResult]) -> dict[str, bytes]:
    unique = sorted({run.run_id: run for run in runs}.values(), key=lambda run: run.run_id)
    files = {f"records/{run.run_id}.json": record_text(run).encode() for run in unique}
    said = whole("runs", [run_item(run, raw=True) for run in unique])
    files["runs.json"] = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    files["report.html"] = page(unique).encode()
    for run in unique:
        content = _artifact(run)
        if content is not None:
            files[f"artifacts/{run.artifact.sha256}.tflite"] = content
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    manifest = {"schema": SCHEMA, "kind": KIND, "edgeprof": version(), "method": METHOD, "files": hashes}
    return {**files, _MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()}


def _artifact(run: RunResult) -> bytes | None:
    """Return the file that was measured, if it is still what it was."""
    try:
        content = run.artifact.path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == run.artifact.sha256 else None


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = _MODE
            entry.create_system = 3
            archive.writestr(entry, content, zipfile.ZIP_STORED)
    return buffer.getvalue()


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"`{path}` is too large for a bundle", "is it one?")
        return path.read_bytes()
    except OSError as exc:
        raise UsageError(f"cannot read `{path}`: {exc.strerror}", "check the path") from exc


def _unzipped(data: bytes, path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise EvidenceError(f"`{path}` is no bundle of edgeprof's: it is compressed", _CHANGED)
            if len({entry.filename for entry in entries}) != len(entries):
                raise EvidenceError(f"`{path}` holds two files of one name", _CHANGED)
            return {entry.filename: archive.read(entry) for entry in entries}
    except zipfile.BadZipFile as exc:
        if "CRC" in str(exc):  # a file of it was read, and is not what was written
            raise EvidenceError(f"`{path}` is damaged: {exc}", _CHANGED) from exc
        if data.startswith(_ZIP):
            raise EvidenceError(f"`{path}` is damaged or cut short ({len(data)} bytes)", _CHANGED) from exc
        raise UsageError(f"`{path}` is no bundle: {exc}", "`edgeprof run bundle RUN` writes one") from exc
    except (NotImplementedError, RuntimeError, EOFError) as exc:
        raise UsageError(f"`{path}` is no bundle: {exc}", "`edgeprof run bundle RUN` writes one") from exc


def _manifest(files: dict[str, bytes], path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(files[_MANIFEST])
        known = (manifest["kind"], manifest["schema"]) == (KIND, SCHEMA) and isinstance(manifest["files"], dict)
    except (KeyError, ValueError, TypeError) as exc:
        raise UsageError(f"`{path}` has no manifest of a bundle", "`edgeprof run bundle RUN` writes one") from exc
    if not known:
        raise UsageError(f"`{path}` is a bundle of a kind that this edgeprof does not know", "upgrade edgeprof")
    listed, there = set(manifest["files"]), set(files) - {_MANIFEST}
    for name in sorted(there - listed):
        raise EvidenceError(f"`{name}` in `{path}` is not in its manifest", _CHANGED)
    for name in sorted((listed - there) | ({"runs.json"} - there)):
        raise EvidenceError(f"`{name}` is missing from `{path}`", _CHANGED)
    return manifest


def _records(files: dict[str, bytes], path: Path) -> tuple[RunResult, ...]:
    try:
        return tuple(read_record(files[name].decode()) for name in sorted(files) if name.startswith("records/"))
    except ValueError as exc:
        raise UsageError(f"`{path}` holds a run that cannot be read: {exc}", "a newer edgeprof may know it") from exc


def _figures(files: dict[str, bytes], path: Path) -> dict[str, _Figures]:
    """Return what the bundle says of each run's figures."""
    try:
        items = json.loads(files["runs.json"])["items"]
        return {
            item["run_id"]: {(one["name"], one["statistic"]): _ends(one) for one in item["metrics"]} for item in items
        }
    except (KeyError, ValueError, TypeError) as exc:
        raise EvidenceError(f"`runs.json` in `{path}` cannot be read", _CHANGED) from exc


def _ends(said: dict[str, Any]) -> list[float | None]:
    return [None if said[end] is None else float(said[end]) for end in ("point", "low", "high")]


def _differing(said: _Figures, run: RunResult) -> Iterator[str]:
    """Yield the figures of a run that come out otherwise when they are computed again from its samples."""
    for one in estimates(run):
        ends = said.get((one.name, one.statistic))
        if ends and not all(map(_same, ends, (one.point, one.low, one.high))):
            yield f"{one.name} ({one.statistic})"


def _same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else math.isclose(one, other, rel_tol=_TOLERANCE)
