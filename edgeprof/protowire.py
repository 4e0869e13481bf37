"""Protocol buffers read field by field, without a schema compiler: for the few messages of others that we read.

Source: protobuf.dev, "Encoding": a tag holds a field's number and one of the wire types 0 (varint), 1 (64 bits),
2 (length and bytes) and 5 (32 bits); 3 and 4 are groups, which none of these messages has. Everything raises
`ValueError` where the bytes are no such message.
"""

import struct
from dataclasses import dataclass

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10
_TOP_BIT = 1 << 63


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its fields in order, each as number, wire type and value (an integer, or bytes)."""

    fields: tuple[tuple[int, int, int | bytes], ...]

    def numbers(self) -> frozenset[int]:
        """Return the numbers of its fields."""
        return frozenset(number for number, _, _ in self.fields)

    def messages(self, number: int) -> list["Message"]:
        """Return every message that stands in a repeated field."""
        return [parse(value) for value in self._every(number, _BYTES) if isinstance(value, bytes)]

    def message(self, number: int) -> "Message":
        """Return the message in a field; one without fields where there is none."""
        found = self.messages(number)
        return found[-1] if found else Message(())

    def text(self, number: int) -> str | None:
        """Return the text in a field, or `None` where there is none."""
        found = [value for value in self._every(number, _BYTES) if isinstance(value, bytes)]
        return found[-1].decode() if found else None

    def whole(self, number: int) -> int | None:
        """Return the signed integer in a field, or `None` where there is none."""
        found = [value for value in self._every(number, _VARINT) if isinstance(value, int)]
        if not found:
            return None
        return found[-1] - 2 * _TOP_BIT if found[-1] >= _TOP_BIT else found[-1]

    def real(self, number: int) -> float | None:
        """Return the 32-bit float in a field, or `None` where there is none."""
        found = [value for value in self._every(number, _FOUR_BYTES) if isinstance(value, bytes)]
        return float(struct.unpack("<f", found[-1])[0]) if found else None

    def _every(self, number: int, kind: int) -> list[int | bytes]:
        mine = [(found, value) for at, found, value in self.fields if at == number]
        other = next((found for found, _ in mine if found != kind), None)
        if other is not None:
            raise ValueError(f"field {number} has the wire type {other} instead of {kind}")
        return [value for _, value in mine]


def parse(data: bytes) -> Message:
    """Return the message that the bytes are."""
    found = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        value, at = _value(data, at, kind, number)
        found.append((number, kind, value))
    return Message(tuple(found))


def _value(data: bytes, at: int, kind: int, number: int) -> tuple[int | bytes, int]:
    if kind == _VARINT:
        return _varint(data, at)
    if kind == _BYTES:
        length, at = _varint(data, at)
    elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
        length = 8 if kind == _EIGHT_BYTES else 4
    else:
        raise ValueError(f"field {number} has the unknown wire type {kind}")
    if at + length > len(data):
        raise ValueError(f"it ends inside field {number}")
    return data[at : at + length], at + length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST_VARINT):
        if at + place >= len(data):
            raise ValueError("it ends inside a number")
        value |= (data[at + place] & 0x7F) << (7 * place)
        if data[at + place] < 0x80:
            return value & (2 * _TOP_BIT - 1), at + place + 1
    raise ValueError("a number is too long")
