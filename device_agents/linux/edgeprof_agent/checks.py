"""Parameters of requests: each function returns a value that is what the protocol says, or raises `bad_request`."""

from __future__ import annotations

from edgeprof_agent.errors import AgentError

_MOST_TEXT = 200
_MOST_CPU = 4095


def whole(params: dict, name: str, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`."""
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _bad(name, "a whole number from {} to {}".format(least, most), value)
    return value


def optional_whole(params: dict, name: str, least: int, most: int) -> object:
    """Return a whole number from `least` to `most`, or `None` where it is not given."""
    return None if params.get(name) is None else whole(params, name, least, most)


def number(params: dict, name: str, most: float) -> float:
    """Return a number above 0 and at most `most`; NaN is none."""
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise _bad(name, "a number above 0 and at most {:g}".format(most), value)
    return float(value)


def flag(params: dict, name: str) -> bool:
    """Return true or false; false where it is not given."""
    value = params.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _bad(name, "true or false", value)
    return value


def text(params: dict, name: str) -> str:
    """Return a text, cut to 200 characters."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise _bad(name, "a text", value)
    return value[:_MOST_TEXT]


def cores(params: dict) -> object:
    """Return `cpus`: a list of core numbers, not empty, or `None`."""
    value = params.get("cpus")
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(_is_core(core) for core in value):
        raise _bad("cpus", "a list of core numbers, or null", value)
    return value


def _is_core(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_CPU


def _bad(name: str, wanted: str, value: object) -> AgentError:
    return AgentError("bad_request", "`{}` must be {}, not {}".format(name, wanted, repr(value)[:_MOST_TEXT]))
