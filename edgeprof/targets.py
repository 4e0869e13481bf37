"""Kinds of board, one TOML each under `targets/`: facts, and where each of them was read.

A fact without a source is refused, so that nobody compares a measurement with a guess.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edgeprof import resources
from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean, refuse_unknown_keys

ARCHITECTURES = ("aarch64", "armv7l", "riscv64", "x86_64")

# What `uname -m` says, for the architecture that it means.
_MACHINES = {"arm64": "aarch64", "armv8l": "armv7l", "amd64": "x86_64"}
_CORE_KEYS = ("core", "count", "max_mhz")
_UNSOURCED = ("title", "sources")
# A source is an address that was opened, or says that the fact is what the target means.
_SOURCE_STARTS = ("https://", "definition: ")


@dataclass(frozen=True, slots=True)
class CoreGroup:
    """Cores of one kind.

    Attributes:
        core: As the device tree names it without its vendor: `cortex-a76`, `carmel`.
        count: How many of them.
        max_mhz: Their highest clock, or `None` where no source was found.
    """

    core: str
    count: int
    max_mhz: int | None = None


@dataclass(frozen=True, slots=True)
class FactSource:
    """Where a fact was read.

    Attributes:
        fact: The field it stands for; `max_mhz` stands for those of all core groups.
        urls: Addresses, each pinned to a commit where it is a repository's file.
    """

    fact: str
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of board. `None` or an empty tuple is a fact for which no source was found.

    Attributes:
        name: The stem of its TOML.
        title: What people call it.
        vendor: Who makes it.
        soc: Its system on a chip.
        architecture: What its cores can run at best, one of `ARCHITECTURES`.
        cpu: Its cores, the biggest first.
        memory_mib: The sizes it is sold with.
        models: How the device tree's model begins, in whole words, such as `Raspberry Pi 5`.
        whole_models: Models to which nothing may be added: the `Google Pixel 6 Pro` is no `Google Pixel 6`.
        compatible: Strings of the device tree's `compatible` that belong to this board alone.
        accelerators: What could compute besides the CPU; edgeprof measures the CPU only.
        supply_uv: The voltage at which the board is fed.
        supply_most_uw: The most that the supply it is sold for gives, and all that hangs on the board with it.
        idle_uw: What it takes with nothing to do.
        aes_instructions: Its cores have them; without, `chacha20` is the quicker cipher.
        notes: What a user ought to know.
        sources: One for each fact.
    """

    name: str
    title: str
    vendor: str | None = None
    soc: str | None = None
    architecture: str | None = None
    cpu: tuple[CoreGroup, ...] = ()
    memory_mib: tuple[int, ...] = ()
    models: tuple[str, ...] = ()
    whole_models: tuple[str, ...] = ()
    compatible: tuple[str, ...] = ()
    accelerators: tuple[str, ...] = ()
    supply_uv: int | None = None
    supply_most_uw: int | None = None
    idle_uw: int | None = None
    aes_instructions: bool | None = None
    notes: tuple[str, ...] = ()
    sources: tuple[FactSource, ...] = ()

    @property
    def core_count(self) -> int | None:
        """All its cores, or `None` where they are not known."""
        return sum(group.count for group in self.cpu) or None

    @property
    def max_mhz(self) -> int | None:
        """The clock of its fastest cores, or `None`."""
        return max((group.max_mhz for group in self.cpu if group.max_mhz is not None), default=None)

    @property
    def is_generic(self) -> bool:
        """It stands for an architecture, not for a board."""
        return not (self.compatible or self.models or self.whole_models)


_KEYS = tuple(f.name for f in fields(Target) if f.name != "name")
_SHAPES: dict[str, tuple[str, type]] = {
    "title": ("a text", str),
    "vendor": ("a text", str),
    "soc": ("a text", str),
    "architecture": ("a text", str),
    "supply_uv": ("a whole number", int),
    "supply_most_uw": ("a whole number", int),
    "idle_uw": ("a whole number", int),
    "aes_instructions": ("true or false", bool),
    "memory_mib": ("a list of whole numbers", int),
    "models": ("a list of texts", str),
    "whole_models": ("a list of texts", str),
    "compatible": ("a list of texts", str),
    "accelerators": ("a list of texts", str),
    "notes": ("a list of texts", str),
}


def load_target(name: str) -> Target:
    """Return the target called `name`, reading its file alone.

    Raises:
        UsageError: There is none, or its file is broken.
    """
    known = target_names()
    if name not in known:
        hint = did_you_mean(name, known) + "`edgeprof target list` shows all"
        raise UsageError(f"unknown target: `{name}`", hint)
    return read_target(resources.folder("targets") / f"{name}.toml")


def all_targets() -> tuple[Target, ...]:
    """Return every target, by name.

    Raises:
        UsageError: One of the files is broken.
    """
    return tuple(load_target(name) for name in target_names())


def target_names() -> tuple[str, ...]:
    """Return the names of all targets, sorted, without reading the files."""
    return tuple(sorted(path.stem for path in resources.folder("targets").glob("*.toml")))


def match(machine: str | None, compatible: Iterable[str] = (), model: str | None = None) -> Target | None:
    """Return the target that a board's own words fit best, or `None`.

    Args:
        machine: What `uname -m` says.
        compatible: The device tree's strings, the most special first, as every device tree has them.
        model: The device tree's model, DMI's product name, or a phone's maker and model.
    """
    targets = all_targets()
    for word in compatible:
        for target in targets:
            if word in target.compatible:
                return target
    for target in targets:
        if has_model(target, model):
            return target
    wanted = architecture_of(machine)
    return next((t for t in targets if t.is_generic and wanted and t.architecture == wanted), None)


def has_model(target: Target, model: str | None) -> bool:
    """Say whether `model` is the target's: `Raspberry Pi 5 Model B Rev 1.0` is, `Raspberry Pi 500` is not."""
    if model is None:
        return False
    return model in target.whole_models or any(f"{model} ".startswith(f"{known} ") for known in target.models)


def architecture_of(machine: str | None) -> str | None:
    """Return the architecture that `uname -m` means, or `None` where edgeprof does not know it."""
    word = (machine or "").lower()
    word = _MACHINES.get(word, word)
    return word if word in ARCHITECTURES else None


def read_target(path: Path) -> Target:
    """Return what one file says.

    Raises:
        UsageError: It is not TOML, or has an unknown key, a wrong type, or a fact without a source.
    """
    where = f"targets/{path.name}"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise UsageError(f"{where} is not valid TOML: {exc}", "mend that line") from exc
    refuse_unknown_keys(table, _KEYS, where)
    if "title" not in table:
        raise UsageError(f"{where} has no `title`", 'say what people call this board: title = "…"')
    facts: dict[str, Any] = {key: _checked(table[key], key, where) for key in _SHAPES if key in table}
    if facts.get("architecture", ARCHITECTURES[0]) not in ARCHITECTURES:
        hint = f"known architectures: {', '.join(ARCHITECTURES)}"
        raise UsageError(f"unknown architecture in {where}: `{facts['architecture']}`", hint)
    cpu = tuple(_core_group(group, where) for group in _tables(table.get("cpu", []), where))
    target = Target(name=path.stem, cpu=cpu, sources=_sources(table.get("sources", {}), where), **facts)
    _refuse_unsourced(target, where)
    return target


def _checked(value: object, key: str, where: str) -> object:
    """Return `value`, lists as tuples, once its type is what `key` wants."""
    words, kind = _SHAPES[key]
    is_list = words.startswith("a list")
    items = value if is_list else [value]
    # `type is`, because bool is an int to isinstance.
    if not isinstance(items, list) or any(type(item) is not kind for item in items):
        raise UsageError(f"`{key}` in {where} must be {words}, not {value!r}", "mend that line")
    return tuple(items) if is_list else value


def _tables(value: object, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or any(type(item) is not dict for item in value):
        raise UsageError(f"`cpu` in {where} must be a list of tables, not {value!r}", "mend that line")
    return value


def _core_group(table: dict[str, Any], where: str) -> CoreGroup:
    refuse_unknown_keys(table, _CORE_KEYS, f"`cpu` of {where}")
    group = CoreGroup(table.get("core", ""), table.get("count", 0), table.get("max_mhz"))
    numbers_are_whole = type(group.count) is int and type(group.max_mhz) in {int, type(None)}
    if not group.core or not isinstance(group.core, str) or not numbers_are_whole or group.count < 1:
        hint = 'write { core = "cortex-a76", count = 4, max_mhz = 2400 }; max_mhz may be left out'
        raise UsageError(f"`cpu` in {where} cannot be read: {table!r}", hint)
    return group


def _sources(table: object, where: str) -> tuple[FactSource, ...]:
    if not isinstance(table, dict):
        raise UsageError(f"`sources` in {where} must be a table, not {table!r}", "mend that line")
    known = (*(key for key in _KEYS if key not in _UNSOURCED), "max_mhz")
    refuse_unknown_keys(table, known, f"`sources` of {where}")
    return tuple(FactSource(fact, _urls(value, fact, where)) for fact, value in table.items())


def _urls(value: object, fact: str, where: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or any(not isinstance(item, str) or not item.startswith(_SOURCE_STARTS) for item in items):
        hint = "a source is the https address that was opened, or a list of them"
        raise UsageError(f"the source of `{fact}` in {where} is not an address: {value!r}", hint)
    return tuple(items)


def _refuse_unsourced(target: Target, where: str) -> None:
    """Refuse a fact without a source, and a source without a fact."""
    stated = {key for key in _KEYS if key not in _UNSOURCED and getattr(target, key) not in {None, ()}}
    if target.max_mhz is not None:
        stated.add("max_mhz")
    sourced = {source.fact for source in target.sources}
    for fact in sorted(stated - sourced):
        hint = f'add `{fact} = "https://…"` under [sources], or leave the fact out'
        raise UsageError(f"{where} states `{fact}` without a source", hint)
    for fact in sorted(sourced - stated):
        raise UsageError(f"{where} has a source for `{fact}`, which it does not state", "remove it")
