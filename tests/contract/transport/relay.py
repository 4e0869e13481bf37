"""A TCP relay on loopback that can be frozen or cut: what a cable, a switch or a power supply does."""

import contextlib
import socket
import struct
import threading


class Relay:
    """Hands on what comes at `port` to another port of this machine.

    Attributes:
        port: Where it listens.
        target: The other port.
        connections: How many were made through it.
        carried: Bytes handed on so far.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.carried = 0
        self._cut_after: int | None = None
        self._loses = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def freeze(self, *, lose: bool = False) -> None:
        """Hand nothing on until it thaws; what comes meanwhile is kept, as in a network, or lost, as on a wire."""
        self._loses = lose
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Reset every connection; new ones are taken. The board still gets what was carried."""
        sockets, self._sockets = self._sockets, []
        for near, far in sockets:
            with contextlib.suppress(OSError):
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                near.shutdown(socket.SHUT_RDWR)
            near.close()
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_WR)

    def cut_after(self, count: int) -> None:
        """Cut, once, when so many more bytes were carried."""
        self._cut_after = self.carried + count

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self.thaw()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, what, *args) -> None:
        thread = threading.Thread(target=what, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # nobody behind us any more
                near.close()
                continue
            self._sockets.append((near, far))
            self._start(self._pump, near, far)
            self._start(self._pump_back, far, near)

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        """Hand on the end too, also a reset: that of a host which was killed before it read all that was there."""
        with contextlib.suppress(OSError):
            while data := near.recv(1 << 16):
                self._hand_on(data, far)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR)

    def _pump_back(self, far: socket.socket, near: socket.socket) -> None:
        """Read to the end even if nobody takes it: a reset would take from the board what it has not read yet."""
        with contextlib.closing(far), contextlib.suppress(OSError):
            while data := far.recv(1 << 16):
                with contextlib.suppress(OSError):
                    self._hand_on(data, near)
            near.shutdown(socket.SHUT_WR)

    def _hand_on(self, data: bytes, sink: socket.socket) -> None:
        if self._loses and not self._flowing.is_set():
            return
        self._flowing.wait()
        sink.sendall(data)
        self.carried += len(data)
        if self._cut_after is not None and self.carried >= self._cut_after:
            self._cut_after = None
            self.cut()
