"""`edgeprof.toml`: what a project measures, where and with which data, as defaults that the command line overrides."""

import os
import tomllib
from pathlib import Path
from typing import Any

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

FILE = Path("edgeprof.toml")
_COMPRESSING = ("profile", "compress", "ab")
# Key -> whether it holds several, and the parameter of each command that it is a default of.
_KEYS: dict[str, tuple[bool, dict[str, str]]] = {
    "models": (True, {"profile": "models"}),
    "recipes": (True, {"profile": "recipes", "compress": "recipes"}),
    "devices": (True, {"profile": "devices"}),
    "threads": (True, {"profile": "threads"}),
    "cpus": (True, {"profile": "cpus"}),
    "calibration": (False, {"profile": "calibration", "compress": "calibration", "ab": "calibration"}),
    "calibration_samples": (False, dict.fromkeys(_COMPRESSING, "calibration_samples")),
    "calibration_choice": (False, dict.fromkeys(_COMPRESSING, "calibration_choice")),
    "seed": (False, dict.fromkeys(_COMPRESSING, "seed")),
    "train": (False, {"profile": "train", "compress": "train"}),
    "eval": (True, {"profile": "evaluations"}),
    "corrupt": (True, {"profile": "corruptions"}),
    "metric": (True, {"profile": "metrics"}),
    "preprocess": (False, {"profile": "preprocessing", "compress": "preprocessing", "ab": "preprocessing"}),
    "runtime": (False, {"profile": "runtime", "ab": "runtime"}),
    "launches": (False, {"profile": "launches"}),
    "budgets": (False, {"validate": "release"}),
    "store": (False, {}),
}
_NUMBERS = ("threads", "launches", "calibration_samples", "seed")


def defaults(command: str | None) -> dict[str, Any]:
    """Return the defaults of a command by its parameters' names; the store's goes to `EDGEPROF_STORE` if that is unset.

    Raises:
        UsageError: The file cannot be read, or holds what no project does; the message says what.
    """
    found = _read()
    if "store" in found:
        os.environ.setdefault("EDGEPROF_STORE", found["store"])
    by_key = {key: commands[command] for key, (_, commands) in _KEYS.items() if command in commands}
    return {parameter: found[key] for key, parameter in by_key.items() if key in found}


def _read() -> dict[str, Any]:
    try:
        whole = tomllib.loads(FILE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"cannot read {FILE}: {exc}", "mend or remove that file") from exc
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{FILE} is not TOML: {exc}", "mend that line") from exc
    return {key: _checked(key, value) for key, value in whole.items()}


def _checked(key: str, value: object) -> Any:  # noqa: ANN401 - what the key holds
    if key not in _KEYS:
        hint = did_you_mean(key, _KEYS) + f"known keys: {', '.join(_KEYS)}"
        raise UsageError(f"unknown key in {FILE}: `{key}`", hint)
    several, _ = _KEYS[key]
    kind, word = (int, "a whole number") if key in _NUMBERS else (str, "a text in quotes")
    items = value if several and isinstance(value, list) else [value]
    if not items or any(not isinstance(item, kind) or isinstance(item, bool) for item in items):
        wanted = f"a list, each {word}" if several else word
        raise UsageError(f"`{key}` in {FILE} is `{value}`", f"write {wanted}")
    return list(items) if several else value
