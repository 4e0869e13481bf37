"""Devices of MLPerf Tiny's protocol on pseudo-terminals: our own answering end with a runner, and real ones' words."""

import os
import select
import threading
import tty
from collections.abc import Callable, Iterator

from tests.recorded import recorded


def dialogue(name: str) -> list[tuple[str, list[str]]]:
    """Return a recording's commands, each with its answer."""
    found: list[tuple[str, list[str]]] = []
    for line in recorded(name).splitlines():
        if line.startswith("> "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


class Recorded:
    """Says what a real device said, in its order; what its log left out as the protocol's source has it."""

    def __init__(self, name: str) -> None:
        self._left = dialogue(name)
        self._expected = self._got = 0

    def heard(self, command: str) -> Iterator[bytes]:
        words = command.split()
        answer = next((pair for pair in self._left if pair[0] == command), None)
        if answer:
            self._left.remove(answer)
            yield "".join(f"{line}\r\n" for line in answer[1]).encode()
        elif words[0] == "name":
            yield b"m-name-dut-[unspecified]\r\nm-ready\r\n"
        elif words[:2] == ["db", "load"]:
            self._expected, self._got = int(words[2]), 0
            yield f"m-[Expecting {words[2]} bytes]\r\nm-ready\r\n".encode()
        elif words[0] == "db" and words[1] != "print":
            self._got += len(words[1]) // 2
            yield (b"m-load-done\r\n" if self._got == self._expected else b"") + b"m-ready\r\n"
        else:
            yield f"e-[Unknown command: {words[0]}]\r\nm-ready\r\n".encode()


class Terminal:
    """A device's end of a pseudo-terminal; `answer` gets what was heard and yields what is said.

    Attributes:
        place: What a host opens.
        harm: What becomes of what the host sends on its way, or `None`.
    """

    def __init__(self, answer: Callable[[bytes], Iterator[bytes]]) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.place = os.ttyname(self._slave)
        self.harm: Callable[[bytes], bytes] | None = None
        self._answer, self._ends = answer, False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def unplug(self) -> None:
        """Take the line away."""
        self._ends = True
        self._thread.join()
        os.close(self._master)
        self._master = -1

    def close(self) -> None:
        self._ends = True
        self._thread.join()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)

    def _serve(self) -> None:
        while not self._ends:
            if select.select([self._master], [], [], 0.05)[0]:
                data = os.read(self._master, 4096)
                for said in self._answer(self.harm(data) if self.harm else data):
                    os.write(self._master, said)


def by_command(device: Recorded) -> Callable[[bytes], Iterator[bytes]]:
    """Return `Terminal`'s answer of a device that takes one command at a time."""
    heard = bytearray()

    def answer(data: bytes) -> Iterator[bytes]:
        heard.extend(data)
        while b"%" in heard:
            command, _, rest = bytes(heard).partition(b"%")
            heard[:] = rest
            yield from device.heard(command.decode())

    return answer
