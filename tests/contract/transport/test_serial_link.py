"""The serial protocol in memory: a line that harms and breaks, and a clock that is simulated."""

import json
import os
import random
import struct
import zlib

import pytest

from edgeprof.transport.seriallink import frames, streams
from tests.contract.transport.serialfaults import BYTES_PER_S, Faults, Pair

SESSION_BYTES = 1500


def talk(pair: Pair, there: bytes, back: bytes, limit_s: float) -> bool:
    """Send both ways at once on two channels; return whether all of it arrived."""
    halves = {1: slice(0, len(there) // 2), 2: slice(len(there) // 2, None)}
    for end, data in ((pair.host, there), (pair.board, back)):
        for channel, part in halves.items():
            end.streams.add(channel)
            end.streams.write(channel, data[part])
            end.streams.end(channel)

    def whole() -> bool:
        return all(
            pair.got[end].get(channel, b"") == data[part]
            for end, data in (("board", there), ("host", back))
            for channel, part in halves.items()
        )

    done = pair.run(
        lambda: len(pair.got["host"].get("records", ())) + len(pair.got["board"].get("records", ())) == 4, limit_s
    )
    assert not done or whole(), "silent corruption"
    return done


def prefix_of(got: dict, data: bytes) -> bool:
    return data.startswith(got.get(1, b"")) and data[len(data) // 2 :].startswith(got.get(2, b""))


@pytest.mark.parametrize("length", [*range(6), 253, 254, 255, 508, 509, 1024])
@pytest.mark.parametrize("byte", [b"\0", b"\1", b"\xff", None])
def test_what_is_stuffed_holds_no_zero_and_comes_back(length, byte):
    data = byte * length if byte else random.Random(length).randbytes(length)

    stuffed = frames.stuffed(data)

    assert 0 not in stuffed
    assert len(stuffed) <= length + length // 254 + 1
    assert frames.unstuffed(stuffed) == data


def test_no_single_flipped_dropped_or_doubled_byte_of_a_frame_passes():
    whole = frames.frame(frames.DATA, 7, 3, 12345678, os.urandom(60))[1:-1]

    assert frames.opened(whole)[:4] == (frames.DATA, 7, 3, 12345678)
    for at in range(len(whole)):
        for bit in range(8):
            assert frames.opened(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]) is None
        assert frames.opened(whole[:at] + whole[at + 1 :]) is None
        assert frames.opened(whole[:at] + whole[at : at + 1] + whole[at:]) is None


def test_a_clean_line_is_used_to_95_percent():
    pair, data = Pair(), random.Random(1).randbytes(200_000)

    assert talk(pair, data, b"", 100)

    assert len(data) / BYTES_PER_S / pair.now >= 0.95


def test_what_compresses_passes_quicker():
    pair, data = Pair(), b'{"id": 1, "method": "invoke", "params": {}}\n' * 5000

    assert talk(pair, data, data, 100)

    assert pair.now < len(data) / BYTES_PER_S / 10


def test_frames_of_another_session_are_not_ours():
    pair = Pair()
    pair.board.session = 8
    pair.host.streams.tell(streams.OPEN, 1, b'["true"]')

    assert not pair.run(lambda: pair.got["board"], 20)


def test_a_channel_that_nobody_reads_blocks_no_other():
    pair = Pair()
    for channel in (1, 2):
        pair.host.streams.add(channel)
        pair.board.streams.add(channel)
    pair.board.streams.taken = lambda *_: None
    pair.host.streams.write(1, bytes(streams.CREDIT_BYTES + 1000))
    pair.run(lambda: len(pair.got["board"].get(1, b"")) == streams.CREDIT_BYTES, 100)

    pair.host.streams.write(2, b"through")

    assert pair.run(lambda: pair.got["board"].get(2) == b"through", 10)
    assert len(pair.got["board"][1]) == streams.CREDIT_BYTES
    assert pair.host.streams.queued(1) == 1000


def test_what_is_no_stream_of_records_ends_the_link_and_is_never_taken_for_data():
    pair = Pair()
    nonsense = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = nonsense.compress(struct.pack(">BHI", 99, 1, 4) + b"data") + nonsense.flush(zlib.Z_SYNC_FLUSH)

    records = pair.board.receive(frames.frame(frames.DATA, 7, 1, 0, packed), 0.0)

    assert records == []
    assert pair.board.gone == "what came makes no sense"


KINDS = [
    ({"drop": 0.005}, 250_000),
    ({"flip": 0.005}, 250_000),
    ({"duplicate": 0.005}, 250_000),
    ({"burst": 0.002}, 100_000),
    ({"drop": 0.002, "flip": 0.002, "duplicate": 0.002, "burst": 0.0002}, 200_000),
]


def test_a_million_faults_are_injected_in_all():
    assert sum(count for _, count in KINDS) >= 1_000_000


@pytest.mark.parametrize(("chances", "count"), KINDS, ids=["drops", "flips", "duplicates", "bursts", "mixed"])
def test_faults_harm_nothing_and_hang_nothing(chances, count):
    """Each session carries random and repetitive bytes both ways; each must end, and with the very bytes."""
    injected = seed = 0
    while injected < count:
        seed += 1
        pair = Pair(Faults(**chances, seed=seed), Faults(**chances, seed=-seed))
        data = random.Random(seed).randbytes(30_000) + b"latency " * 4000

        assert talk(pair, data, data[::-1], 3600), f"seed {seed} hangs"

        injected += pair.there.total + pair.back.total
    assert injected >= count


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_a_session_cut_at_any_byte_goes_on_when_the_line_is_back(noise):
    data = random.Random(5).randbytes(SESSION_BYTES)
    whole = Pair()
    assert talk(whole, data, data[::-1], 100)

    for at in range(whole.carried):
        pair = Pair(Faults(flip=noise, seed=at), Faults(flip=noise, seed=-at))
        pair.cut_at, pair.cut_for_s = at, 1.5

        assert talk(pair, data, data[::-1], 60), f"cut at {at}"


def test_a_session_cut_for_good_at_any_byte_delivers_a_true_beginning_and_rests():
    data = random.Random(6).randbytes(SESSION_BYTES)
    whole = Pair()
    assert talk(whole, data, data[::-1], 100)

    for at in range(whole.carried - 60):
        pair = Pair()
        pair.cut_at, pair.cut_for_s = at, 1e9

        assert not talk(pair, data, data[::-1], 20)
        assert pair.now - pair.host.heard_at > 10
        assert prefix_of(pair.got["board"], data)
        assert prefix_of(pair.got["host"], data[::-1])


class Exchange(Pair):
    """A host that opens a command, feeds it and asks for two speeds, and a board that answers: every kind of record."""

    def __init__(self, **faults: Faults) -> None:
        super().__init__(**faults)
        self.host.streams.add(1)
        self.host.streams.tell(streams.OPEN, 1, json.dumps(["cat", "größe", "two words"]).encode())
        self.host.streams.write(1, b"to its input")
        self.host.streams.end(1)
        for baud in (921_600, 12_345):
            self.host.streams.tell(streams.SPEED, 0, struct.pack(">I", baud))

    def by_channel(self) -> dict:
        """Return what each end was told, in order; channels have no order among them."""
        told = {}
        for end, got in self.got.items():
            for kind, channel, payload in got.get("records", ()):
                told.setdefault((end, channel), []).append((kind, payload))
        return told

    def _deliver(self, end, got, data):
        for record in end.receive(data, self.now) if data else ():
            got.setdefault("records", []).append(record)
            self._answer(end.streams, *record)

    def _answer(self, mine, kind: int, channel: int, payload: bytes) -> None:
        if kind == streams.OPEN:
            mine.add(channel)
            mine.write(channel, b"from its output")
            mine.end(channel)
            mine.tell(streams.BROKEN, channel)
            mine.tell(streams.EXIT, channel, struct.pack(">i", -9) + b"Killed")
        elif kind == streams.SPEED:
            mine.tell(streams.AGREED if payload == struct.pack(">I", 921_600) else streams.REFUSED)
        elif kind == streams.AGREED:
            mine.tell(streams.STAY)
        elif kind == streams.EXIT:
            mine.end(channel, streams.CLOSE)


def test_commands_and_speeds_cut_at_any_byte_are_told_once_and_in_order_when_the_line_is_back():
    whole = Exchange()
    whole.run(lambda: False, 5)
    told = whole.by_channel()

    for at in range(whole.carried):
        pair = Exchange()
        pair.cut_at, pair.cut_for_s = at, 1.5

        assert pair.run(lambda: pair.by_channel() == told, 30), f"cut at {at}: {pair.by_channel()}"  # noqa: B023
        pair.run(lambda: False, 3)
        assert pair.by_channel() == told, f"cut at {at}"
    assert {kind for records in told.values() for kind, _ in records} == {*range(1, 12)} - {streams.CREDIT}


def test_commands_and_speeds_cut_for_good_at_any_byte_are_told_as_far_as_they_came():
    whole = Exchange()
    whole.run(lambda: False, 5)
    told = whole.by_channel()

    for at in range(whole.carried):
        pair = Exchange()
        pair.cut_at, pair.cut_for_s = at, 1e9
        pair.run(lambda: False, 20)

        for way, records in pair.by_channel().items():
            assert records == told[way][: len(records)], f"cut at {at}"
