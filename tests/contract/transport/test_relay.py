"""The relay that stands for a cable: what it does must be what a cable does."""

import socket
import struct

import pytest

from tests.contract.transport.relay import Relay


@pytest.fixture
def ends():
    """A host and a board with a relay between them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(listener.getsockname()[1])
        host = socket.create_connection(("127.0.0.1", relay.port))
        board, _ = listener.accept()
        for end in (host, board):
            end.settimeout(60)
        yield host, board
        host.close()
        board.close()
        relay.close()


def test_a_board_hears_of_the_end_of_a_host_that_was_killed_before_it_read_all(ends):
    host, board = ends
    host.sendall(b"begin")
    assert board.recv(16) == b"begin"
    board.sendall(b"never read")

    host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, as of one that was killed
    host.close()

    assert board.recv(16) == b""
