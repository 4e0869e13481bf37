"""Artifacts on the host's disk: the file, what is known of it, its golden vectors."""

import json
import shutil
import tempfile
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgeprof.analysis.flatbuffer import read_model
from edgeprof.compress.cache import content_sha256, library_versions, move, partial, place
from edgeprof.compress.child import GOLDEN, run_child
from edgeprof.compress.jobs import Job
from edgeprof.errors import UsageError
from edgeprof.records import Artifact, CalibrationUse, TensorSpec

AS_IS = "as-is"
_SCHEMA = 1
_MODEL, _ABOUT, _GOLDEN = "model.tflite", "artifact.json", "golden.npz"


def describe(path: Path, *, model: str, recipe: str, parent_sha256: str | None = None) -> Artifact:
    """Return what the `.tflite` at `path` says of itself, without golden vectors.

    Raises:
        ModelError: It is no `.tflite` file, or damaged.
    """
    found = read_model(path)
    return Artifact(
        path=path,
        sha256=content_sha256(path),
        size_bytes=path.stat().st_size,
        model=model,
        recipe=recipe,
        inputs=found.inputs,
        outputs=found.outputs,
        stateful=found.stateful,
        parent_sha256=parent_sha256,
        versions=library_versions() if parent_sha256 else (),
    )


def load_artifact(path: Path) -> Artifact:
    """Return the `.tflite` at `path` with what stands beside it, else as it is, with golden vectors where possible.

    Raises:
        ModelError: It is missing, damaged or no `.tflite` file, or the host's runtime refuses it.
    """
    artifact = describe(path, model=path.stem, recipe=AS_IS)
    beside = _read(_beside(path, ".json"), path, _beside(path, ".golden.npz"))
    if beside is not None and beside.sha256 == artifact.sha256:
        return beside
    if find_spec("ai_edge_litert") is None:
        return artifact
    return replace(artifact, golden=_golden_as_is(artifact))


def load_cached(folder: Path) -> Artifact | None:
    """Return the artifact in a folder of the cache, or `None` where it is not there or not what was put there."""
    path = folder / _MODEL
    found = _read(folder / _ABOUT, path, folder / _GOLDEN)
    if found is None or not path.is_file() or content_sha256(path) != found.sha256:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return found


def keep(made: Path, target: Path, artifact: Artifact) -> None:
    """Move a folder with `model.tflite` and `golden.npz` to its place in the cache, with what is known of it."""
    (made / _ABOUT).write_text(_json(artifact, made / _GOLDEN))
    move(made, target)


def copy_out(artifact: Artifact, folder: Path) -> Artifact:
    """Copy an artifact to `<model>-<recipe>.tflite` in `folder`, with its sidecars; return the copy.

    Raises:
        UsageError: The folder cannot be made or written.
    """
    path = folder / f"{artifact.model}-{artifact.recipe}.tflite"
    golden = _beside(path, ".golden.npz") if artifact.golden else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if artifact.golden and golden:
            _copy(artifact.golden, golden)
        _copy(artifact.path, path)
        _beside(path, ".json").write_text(_json(artifact, golden))
    except OSError as exc:
        raise UsageError(f"cannot write to `{folder}`: {exc.strerror}", "give another folder with `--output`") from exc
    return replace(artifact, path=path, golden=golden)


def _golden_as_is(artifact: Artifact) -> Path:
    target = place("golden", artifact.sha256)
    if not (target / _GOLDEN).is_file():
        with partial(target) as folder:
            made = folder / "made"
            made.mkdir()
            job = Job("golden", str(artifact.path), str(made))
            run_child(GOLDEN, job, lambda _: None)
            move(made, target)
    return target / _GOLDEN


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _copy(source: Path, target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".partial-", delete=False) as file:
        file.write(source.read_bytes())
    Path(file.name).chmod(0o644)
    Path(file.name).replace(target)


def _json(artifact: Artifact, golden: Path | None) -> str:
    fields = asdict(artifact)
    del fields["path"], fields["golden"]
    golden_sha256 = content_sha256(golden) if golden else None
    return json.dumps({"schema": _SCHEMA, "golden_sha256": golden_sha256, **fields}, indent=1) + "\n"


def _read(about: Path, path: Path, golden: Path) -> Artifact | None:
    """Return the artifact that a JSON file describes, or `None` where it or its golden vectors are none of ours."""
    try:
        fields = json.loads(about.read_text())
        if fields.pop("schema") != _SCHEMA:
            return None
        if fields.pop("golden_sha256") != (content_sha256(golden) if golden.is_file() else None):
            return None
        fields["steps"] = tuple(fields.get("steps", ()))
        fields["inputs"], fields["outputs"] = _specs(fields["inputs"]), _specs(fields["outputs"])
        for name in ("versions", "warnings", "notes"):
            fields[name] = _pairs(fields.get(name, []))
        calibration = fields.pop("calibration", None)
        fields["calibration"] = None if calibration is None else CalibrationUse(**calibration)
        return Artifact(path=path, golden=golden if golden.is_file() else None, **fields)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _specs(tensors: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(**{**fields, "shape": tuple(fields["shape"])}) for fields in tensors)


def _pairs(pairs: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(code), str(text)) for code, text in pairs)
