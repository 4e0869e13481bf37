"""What a target says and a board does not bear out."""

from collections import Counter
from dataclasses import dataclass

from edgeprof.boards.facts import BoardFacts
from edgeprof.targets import Target, has_model
from edgeprof.units import megahertz


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the target says and the board does not bear out.

    Attributes:
        field: `model`, `architecture`, `core_count`, `core`, `memory`, `max_frequency` or `aes_instructions`.
        expected: What the target says, for people.
        found: What the board says.
        note: What it may come from.
    """

    field: str
    expected: str
    found: str
    note: str


def differences(facts: BoardFacts, target: Target) -> tuple[Difference, ...]:
    """Return what the target says and the board does not bear out.

    What either of them does not say is no difference.
    """
    found = (
        _model(facts, target),
        _architecture(facts, target),
        _core_count(facts, target),
        _core(facts, target),
        _memory(facts, target),
        _max_frequency(facts, target),
        _aes(facts, target),
    )
    return tuple(difference for difference in found if difference is not None)


def _model(facts: BoardFacts, target: Target) -> Difference | None:
    said = facts.model or next(iter(facts.compatible), None)
    is_it = bool(set(facts.compatible) & set(target.compatible)) or has_model(target, facts.model)
    if target.is_generic or said is None or is_it:
        return None
    return Difference("model", target.title, said, "is it another kind of board? `edgeprof target list` shows all")


def _architecture(facts: BoardFacts, target: Target) -> Difference | None:
    if facts.machine is None or target.architecture in {None, facts.userland()}:
        return None
    note = "a 32-bit system on 64-bit cores is slower, and `litert` does not run on it"
    narrow = (target.architecture, facts.userland()) == ("aarch64", "armv7l")
    return Difference(
        "architecture", str(target.architecture), facts.userland() or facts.machine, note if narrow else ""
    )


def _core_count(facts: BoardFacts, target: Target) -> Difference | None:
    running = len(facts.running())
    if not facts.cpus or target.core_count in {None, running}:
        return None
    return Difference(
        "core_count", str(target.core_count), str(running), "a power mode or `maxcpus=` may hold cores back"
    )


def _core(facts: BoardFacts, target: Target) -> Difference | None:
    kinds = {cpu.core for cpu in facts.cpus}
    expected = {group.core for group in target.cpu}
    if not kinds or None in kinds or not expected or kinds <= expected:
        return None
    counts = Counter(cpu.core for cpu in facts.cpus)
    words = ", ".join(f"{count} x {core}" for core, count in sorted(counts.items(), key=str))
    wanted = ", ".join(f"{group.count} x {group.core}" for group in target.cpu)
    return Difference("core", wanted, words, "the board is not what its target says, or it is emulated")


def _memory(facts: BoardFacts, target: Target) -> Difference | None:
    """Compare memory; the kernel, firmware and GPU keep up to a quarter for themselves."""
    if facts.memory_total_bytes is None or not target.memory_mib:
        return None
    mib = facts.memory_total_bytes // 2**20
    if any(size * 3 / 4 <= mib <= size for size in target.memory_mib):
        return None
    sizes = ", ".join(map(str, target.memory_mib))
    return Difference("memory", f"{sizes} MiB", f"{mib} MiB", "`gpu_mem=`, `mem=` or a container may limit it")


def _max_frequency(facts: BoardFacts, target: Target) -> Difference | None:
    """Compare clocks; the operating points lie up to a percent beside the round figure."""
    clocks = [cpu.max_khz for cpu in facts.cpus if cpu.max_khz is not None]
    if not clocks or target.max_mhz is None or abs(max(clocks) / 1000 - target.max_mhz) <= target.max_mhz / 100:
        return None
    note = "a power mode, an older revision of the board or overclocking"
    return Difference("max_frequency", f"{target.max_mhz} MHz", megahertz(max(clocks)), note)


def _aes(facts: BoardFacts, target: Target) -> Difference | None:
    """Compare AES instructions; a 32-bit system on 64-bit cores may keep silent about them."""
    has, expected = facts.aes_instructions, target.aes_instructions
    if has is None or expected in {None, has} or facts.userland() not in {"aarch64", "x86_64"}:
        return None
    words = {True: "yes", False: "no"}
    note = "the board is not what its target says, or it is emulated"
    return Difference("aes_instructions", words[bool(expected)], words[has], note)
