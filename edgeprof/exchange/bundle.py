"""Evidence bundles: runs with every sample, what they say, and their hashes, in one file of the same bytes always.

A bundle is an uncompressed zip with sorted names and fixed dates. `manifest.json` lists every other file with its
SHA-256. `records/RUN.json` is all that was stored of a run; `runs.json` and `report.html` are computed from that.
"""

import hashlib
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from edgeprof import version
from edgeprof.errors import EvidenceError, UsageError
from edgeprof.metrics import estimates
from edgeprof.records import Estimate, RunResult
from edgeprof.report.document import whole
from edgeprof.report.html import page
from edgeprof.report.items import run_item
from edgeprof.resources import write_whole
from edgeprof.stats.former import former_estimates
from edgeprof.store import read_record, record_text

SCHEMA, KIND = 1, "evidence"
_MANIFEST = "manifest.json"
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16
# How a zip begins, also one whose end is missing.
_ZIP = b"PK\x03\x04"
_MOST_BYTES = 4 << 30
# Figures are the same when they are computed again, but for the last digits that another numpy may change.
_TOLERANCE = 1e-6
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


def verify(path: Path) -> Verified:
    """Check a bundle: its files against the manifest, its figures against its samples.

    Raises:
        UsageError: It cannot be read, or is no bundle.
        EvidenceError: Something in it is not as it was written; the message says what.
    """
    data = _read(path)
    files = _unzipped(data, path)
    manifest = _manifest(files, path)
    for name, wanted in manifest["files"].items():
        if hashlib.sha256(files[name]).hexdigest() != wanted:
            raise EvidenceError(f"`{name}` in `{path}` is not what the manifest lists: its hash differs", _CHANGED)
    runs = _records(files, path)
    made_by = str(manifest.get("edgeprof"))
    figures = _check_figures(files, runs, made_by, path)
    return Verified(runs, len(manifest["files"]), figures, made_by, hashlib.sha256(data).hexdigest())


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
    manifest = {"schema": SCHEMA, "kind": KIND, "edgeprof": version(), "files": hashes}
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


def _check_figures(files: dict[str, bytes], runs: Sequence[RunResult], made_by: str, path: Path) -> int:
    """Compute every figure again from the samples; return how many there are."""
    try:
        said = {item["run_id"]: item for item in json.loads(files["runs.json"])["items"]}
        if set(said) != {run.run_id for run in runs}:
            raise EvidenceError(f"`runs.json` in `{path}` is about other runs than its records", _CHANGED)
        for run in runs:
            _check_run(said[run.run_id]["metrics"], run, made_by, path)
        return sum(len(said[run.run_id]["metrics"]) for run in runs)
    except (KeyError, ValueError, TypeError) as exc:
        raise EvidenceError(f"`runs.json` in `{path}` cannot be read", _CHANGED) from exc


def _check_run(said: list[dict[str, Any]], run: RunResult, made_by: str, path: Path) -> None:
    again = {(one.name, one.statistic): [one] for one in estimates(run)}
    for one in former_estimates(run.launches, run.plan, run.evaluations):
        again.get((one.name, one.statistic), []).append(one)
    for item in said:
        ways = again.get((item["name"], item["statistic"]))
        if ways and not any(_same(item, way) for way in ways):
            what = f"{item['name']} ({item['statistic']}) of run {run.run_id}"
            hint = (
                "its hashes are right: it was changed and its manifest written anew, or "
                f"edgeprof {made_by}, which wrote it, computed this otherwise than {version()} does"
            )
            raise EvidenceError(f"{what} in `{path}` does not follow from its samples", hint)


def _same(said: dict[str, Any], found: Estimate) -> bool:
    pairs = [(said[end], getattr(found, end)) for end in ("point", "low", "high")]
    return all(a is b if a is None or b is None else math.isclose(a, b, rel_tol=_TOLERANCE) for a, b in pairs)
