"""The bits in which a Raspberry Pi's firmware says that it holds the board back.

Source: raspberrypi/documentation at 0cc21c8d6f81, computers/os/graphics-utilities.adoc, `get_throttled`.
"""

_NOW = {0: "under-voltage", 1: "Arm clock capped", 2: "throttled", 3: "soft temperature limit"}
# The same four, since the board started.
_SINCE_START = 16
_NOW_MASK = sum(1 << bit for bit in _NOW)


def throttling_text(bits: int) -> str:
    """Return all bits for people: `0x50000 (since its start: under-voltage, throttled)`."""
    now, since = throttling_words(bits), throttling_words(bits >> _SINCE_START)
    parts = [now, f"since its start: {since}" if since else ""]
    words = "; ".join(part for part in parts if part)
    return f"{bits:#x} ({words})" if words else f"{bits:#x}"


def throttling_words(bits: int) -> str:
    """Return what the bits say of now: `under-voltage, throttled`; nothing where they say nothing."""
    return ", ".join(name for bit, name in _NOW.items() if bits >> bit & 1)


def throttled_meanwhile(before: int | None, seen: list[int], after: int | None) -> int:
    """Return the bits of now that were set at any moment of a stretch of time, 0 where none was or nobody says.

    A bit "since its start" that was new at the end was set meanwhile, though nobody saw it; one that was old already
    says nothing.
    """
    bits = 0
    for value in (before, *seen, after):
        bits |= value or 0
    if before is not None and after is not None:
        bits |= (after & ~before) >> _SINCE_START
    return bits & _NOW_MASK
