"""A board that starts anew under a serial link: told by its text, and by nothing that a link carries."""

import random
import zlib

from edgeprof.transport.serialconsole import Restart

BANNER = b"\r\nU-Boot 2024.01 (Jan 01 2024)\r\nHit any key to stop autoboot:  3"
LOGIN = b"\x1b[0m\r\nDebian GNU/Linux 12 board ttyS0\r\n\r\nboard login: "


def told(*heard: bytes, framed: bool = False) -> Restart:
    restart = Restart(4.0)
    for second, data in enumerate(heard, 1):
        restart.heard(data, float(second), framed=framed)
    return restart


def test_nothing_is_sent_until_a_boot_loader_has_been_quiet_for_longer_than_a_countdown():
    assert told(BANNER, b"\b\b\b 2 ", b"").quiet_until() == 6.0


def test_text_that_comes_in_pieces_is_text():
    assert told(BANNER[:9], BANNER[9:]).quiet_until() == 6.0


def test_a_sound_frame_ends_the_quiet():
    restart = told(BANNER)

    restart.heard(b"a frame", 2.0, framed=True)

    assert restart.quiet_until() < 0


def test_a_board_that_asks_who_logs_in_has_booted_once_it_rests_there():
    restart = told(BANNER, LOGIN)

    assert not restart.is_over(5.9)
    assert restart.is_over(6.1)


def test_messages_of_the_kernel_and_parts_of_frames_keep_nobody_quiet():
    chance = random.Random(1)
    parts = [zlib.compress(chance.randbytes(200))[:120] for _ in range(2000)]

    assert told(b"\r\n[   12.345678] usb 1-1: new device\r\n").quiet_until() < 0
    assert all(told(part, part).quiet_until() < 0 for part in parts)
    assert not told(b"login: ").is_over(9.0)
