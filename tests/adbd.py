"""The phone's end of adb for tests: a daemon that speaks its protocol to the real client, over TCP on loopback.

Source: AOSP packages/modules/adb at its `protocol.txt` (CNXN, AUTH, OPEN, OKAY, WRTE, CLSE) and `shell_protocol.h`
(one byte of kind, four of length). Commands run on this machine, in mksh with toybox, and see nothing else on PATH: the
userland of a phone, and not its kernel.

python -m tests.adbd PORT PROGRAMS [device|old|unauthorized|mute]
"""

import asyncio
import os
import signal
import struct
import sys
from contextlib import suppress

CNXN, AUTH, OPEN, OKAY, CLSE, WRTE = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
VERSION = 0x01000001
MOST_BYTES = 1 << 18
IN, OUT, ERR, EXIT, CLOSE_IN = range(5)
BANNER = b"device::ro.product.name=test;ro.product.model=Test Phone;ro.product.device=test;features="


class Phone:
    """One connection of a client.

    Args:
        programs: The folder that is PATH.
        mood: `device` lets the client in, `old` as an Android 6 does, `unauthorized` never, `mute` says nothing at all.
    """

    def __init__(self, programs: str, mood: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.programs = programs
        self._mood = mood
        self._reader = reader
        self._writer = writer
        self._shells: dict[int, Shell] = {}
        self._numbers = 0

    async def serve(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = struct.unpack("<6I", await self._reader.readexactly(24))
                await self._hear(*head[:3], await self._reader.readexactly(head[3]))
        for shell in list(self._shells.values()):
            shell.hang_up()
        self._writer.close()

    async def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        self._writer.write(struct.pack("<6I", command, first, second, len(data), 0, command ^ 0xFFFFFFFF) + data)
        await self._writer.drain()

    async def _hear(self, command: int, first: int, second: int, data: bytes) -> None:
        if self._mood == "mute":
            return
        if command in {CNXN, AUTH}:
            if self._mood == "unauthorized":
                await self.send(AUTH, 1, 0, os.urandom(20))
            else:
                await self.send(
                    CNXN, VERSION, MOST_BYTES, BANNER + (b"cmd" if self._mood == "old" else b"shell_v2,cmd")
                )
        elif command == OPEN:
            await self._open(first, data.rstrip(b"\0").decode())
        elif second in self._shells:
            shell = self._shells[second]
            if command == OKAY:
                shell.taken.set()
            elif command == WRTE:
                await self.send(OKAY, second, first)
                shell.hear(data)
            elif command == CLSE:
                self._shells.pop(second).hang_up()

    async def _open(self, theirs: int, service: str) -> None:
        kind, _, command = service.partition(":")
        if not kind.startswith("shell,") or "v2" not in kind.split(","):
            await self.send(CLSE, 0, theirs)
            return
        self._numbers += 1
        self._shells[self._numbers] = Shell(self, self._numbers, theirs, command)
        await self.send(OKAY, self._numbers, theirs)
        self._shells[self._numbers].begin()


class Shell:
    """A command under way."""

    def __init__(self, phone: Phone, ours: int, theirs: int, command: str) -> None:
        self.taken = asyncio.Event()
        self._phone, self._ours, self._theirs, self._command = phone, ours, theirs, command
        self._heard = b""
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task] = []

    def begin(self) -> None:
        self._tasks.append(asyncio.ensure_future(self._run()))

    def hear(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= 5:
            kind, length = struct.unpack("<BI", self._heard[:5])
            if len(self._heard) < 5 + length:
                return
            body, self._heard = self._heard[5 : 5 + length], self._heard[5 + length :]
            if kind in {IN, CLOSE_IN}:
                self._input.put_nowait(body if kind == IN else None)

    def hang_up(self) -> None:
        self.taken.set()
        for task in self._tasks:
            task.cancel()
        if self._process and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGHUP)

    async def _run(self) -> None:
        data = f"{self._phone.programs}/.data"
        env = {"PATH": self._phone.programs, "HOME": "/", "ANDROID_ROOT": "/system", "ANDROID_DATA": data}
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
        self._process = process = await asyncio.create_subprocess_exec(
            f"{self._phone.programs}/sh", "-c", self._command, env=env, start_new_session=True, **pipes
        )
        self._tasks.append(asyncio.ensure_future(self._feed(process)))
        await asyncio.gather(self._tell(OUT, process.stdout), self._tell(ERR, process.stderr))
        status = await process.wait()
        await self._say(EXIT, bytes([status if status >= 0 else 128 - status]))
        await self._phone.send(CLSE, self._ours, self._theirs)

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        with suppress(ConnectionError):
            while (data := await self._input.get()) is not None:
                process.stdin.write(data)
                await process.stdin.drain()
        with suppress(ConnectionError):
            process.stdin.close()

    async def _tell(self, kind: int, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(1 << 15):
            await self._say(kind, data)

    async def _say(self, kind: int, data: bytes) -> None:
        async with self._turn:
            self.taken.clear()
            await self._phone.send(WRTE, self._ours, self._theirs, struct.pack("<BI", kind, len(data)) + data)
            await self.taken.wait()


async def main(port: int, programs: str, mood: str) -> None:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Phone(programs, mood, reader, writer).serve()

    server = await asyncio.start_server(served, "127.0.0.1", port)
    print("ready", flush=True)  # noqa: T201 - who started it waits for this
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "device"))
