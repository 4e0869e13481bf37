"""What kind of model a file is, and whether it brings code of its own: seen before any of that code can run."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeprof.analysis.flatbuffer import IDENTIFIER
from edgeprof.errors import ModelError, UsageError

KERAS, TF_KERAS, SAVED_MODEL = "keras", "tf_keras", "saved_model"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
# A config is read whole into memory; a real one has some megabytes at most.
_LARGEST_CONFIG_BYTES = 256 * 2**20
_KNOWN_MODULES = ("keras", "tf_keras", "tensorflow", "builtins", "numpy")


@dataclass(frozen=True, slots=True)
class Source:
    """How a model has to be loaded.

    Attributes:
        library: `keras`, `tf_keras` or `saved_model`.
        suffix: What that library wants a file's name to end with; nothing for a folder.
    """

    library: str
    suffix: str


def is_tflite(path: Path) -> bool:
    """Return whether `path` is a `.tflite` file, by content, or by name where there is no content to tell.

    Raises:
        ModelError: There is no such file.
    """
    if not path.exists():
        raise ModelError(f"there is no model at `{path}`", "check the path")
    if path.is_dir():
        return False
    head = _head(path)
    known = head[4:8] == IDENTIFIER or head.startswith((_ZIP, _HDF5))
    return head[4:8] == IDENTIFIER if known else path.suffix.lower() == ".tflite"


def check_model(path: Path) -> None:
    """Refuse what is none of `.keras`, HDF5 and SavedModel at first sight.

    Raises:
        ModelError: Says what it is instead.
        UsageError: It is a `.tflite` file.
    """
    if is_tflite(path):
        raise UsageError(f"`{path}` is a .tflite file already", "give the Keras model it was made from")
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            hint = "give the folder that holds saved_model.pb"
            raise ModelError(f"the folder `{path}` is no SavedModel: it has no saved_model.pb", hint)
        return
    head = _head(path)
    if not head.startswith((_ZIP, _HDF5)):
        what = "is no Keras model" if head else "is empty"
        raise ModelError(f"`{path}` {what}", "give .keras, HDF5 (.h5), a SavedModel folder, or a .tflite file")


def find_source(path: Path) -> Source:
    """Return how to load the model at `path`, which is no `.tflite`.

    Raises:
        ModelError: It is none of `.keras`, HDF5 and SavedModel, or damaged.
        UsageError: It is a `.tflite` file.
    """
    check_model(path)
    if path.is_dir():
        return Source(SAVED_MODEL, "")
    if _head(path).startswith(_ZIP):
        return Source(_library(_member(path, "metadata.json").get("keras_version")), ".keras")
    return Source(_library(_hdf5_attribute(path, "keras_version")), ".h5")


def refuse_own_code(path: Path, source: Source) -> None:
    """Refuse a model whose file holds code, or names code outside Keras, that loading would run.

    Raises:
        ModelError: Names the layer and says how to load it nevertheless; or the file has no configuration.
    """
    if source.library == SAVED_MODEL:
        return  # it is converted as a graph, and no Python of it is loaded
    for found in _own_code(_config(path, source)):
        raise ModelError(
            f"`{path}` has {found}: loading it would run code that is not Keras's own",
            "if you trust where the file comes from, add `--trust-model`",
        )


def _own_code(config: object) -> Iterator[str]:
    """Yield what in a configuration brings code, as the user should read it."""
    if isinstance(config, list):
        for part in config:
            yield from _own_code(part)
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    inner = config.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    if kind in ("Lambda", "__lambda__") or config.get("function_type") == "lambda":
        yield f"a Lambda layer `{name}`" if kind == "Lambda" and name else "a Lambda layer"
    if isinstance(module, str) and "class_name" in config and module.partition(".")[0] not in _KNOWN_MODULES:
        yield f"`{kind}` of module `{module}`"
    for part in config.values():
        yield from _own_code(part)


def _config(path: Path, source: Source) -> object:
    if source.suffix == ".keras":
        return _member(path, "config.json")
    text = _hdf5_attribute(path, "model_config")
    if text is None:
        raise ModelError(f"`{path}` holds weights without a model", "save the whole model: model.save(path)")
    try:
        return json.loads(text)
    except ValueError as exc:
        raise ModelError(f"the configuration in `{path}` is no JSON", "save the model again") from exc


def _member(path: Path, name: str) -> dict[str, object]:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > _LARGEST_CONFIG_BYTES:
                raise ModelError(f"{name} in `{path}` is too large to be a model's", "is it a .keras file?")
            content = json.loads(archive.read(name))
    except KeyError as exc:
        raise ModelError(f"`{path}` is a zip file but no Keras model: it has no {name}", "give a .keras file") from exc
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile) as exc:
        raise ModelError(f"`{path}` is a damaged .keras file: {exc}", "copy or save it again") from exc
    if not isinstance(content, dict):
        raise ModelError(f"{name} in `{path}` is not what Keras writes", "save the model again")
    return content


def _hdf5_attribute(path: Path, name: str) -> str | None:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            value = file.attrs.get(name)
    except (OSError, RuntimeError, KeyError, ValueError) as exc:
        raise ModelError(f"`{path}` is a damaged HDF5 file: {exc}", "copy or save it again") from exc
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


def _library(version: object) -> str:
    """Return what loads a file written by Keras `version`; files too old to say are Keras 2's."""
    return KERAS if str(version or "2").startswith("3") else TF_KERAS


def _head(path: Path) -> bytes:
    if not path.is_file():  # a pipe would wait for whoever writes into it
        raise ModelError(f"`{path}` is no regular file", "copy the model into one")
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as exc:
        raise ModelError(f"cannot read `{path}`: {exc.strerror}", "check its permissions") from exc
