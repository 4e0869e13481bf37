"""The host's end of MLPerf Tiny's protocol, on pseudo-terminals: devices that answer, real ones' words, and faults."""

import math
import os
import struct
import time
from contextlib import closing

import pytest

from edgeprof.errors import DeviceError, LinkLost, TransportError
from edgeprof.tiny import Firmware, Responder, TinyDevice, parse_tiny
from tests.tinydevices import Recorded, Terminal, by_command


class Doubler:
    """What a device runs: four floats, twice each."""

    def __init__(self):
        self.runs = 0

    def load(self, sample):
        self.sample = struct.unpack("<4f", sample)

    def clock_us(self):
        return time.monotonic_ns() // 1000

    def run(self, count):
        self.runs += count
        return 100 * count

    def results(self):
        return tuple(2 * value for value in self.sample)


SAMPLE = struct.pack("<4f", 0.25, -1, 3, 0.5)


@pytest.fixture
def at():
    """Put a device at the end of a line."""
    opened = []

    def put(answer) -> Terminal:
        opened.append(Terminal(answer))
        return opened[-1]

    yield put
    for terminal in opened:
        terminal.close()


@pytest.fixture
def doubler(at):
    return at(Responder("edgeprof", "x01", 16, Doubler()).heard)


def opened(terminal: Terminal, look=lambda: None) -> TinyDevice:
    return TinyDevice(parse_tiny(f"tiny+serial://{terminal.place}?wait=5"), lambda _: None, look)


def test_a_device_says_what_it_is_runs_and_gives_its_output(doubler):
    with closing(opened(doubler)) as device:
        device.load(SAMPLE)
        window = device.infer(1000, 3, 10)

    assert device.firmware == Firmware("edgeprof", "ULPMark for tinyML Firmware V0.0.1", "x01")
    assert window.results == (0.5, -2, 6, 1)
    assert window.elapsed_ns == 100_000_000
    assert device.reads_back


def test_a_real_device_of_a_submission_is_read_as_its_runner_read_it(at):
    """Its results.txt has the same times, and a median of 10.019 inferences a second."""
    with closing(opened(at(by_command(Recorded("tiny-kws-l4r5zi.txt"))))) as device:
        laps = [device.timestamp_us()]
        device.load(bytes(490))
        windows = [device.infer(200, 1, 10) for _ in range(5)]

    laps += [lap for window in windows for lap in window.laps_us]
    assert device.firmware.model == "kws01"
    assert [window.elapsed_ns for window in windows] == [s * 10**6 for s in (19964, 19962, 19960, 19964, 19958)]
    assert round(200e9 / sorted(window.elapsed_ns for window in windows)[2], 3) == 10.019
    assert [max(range(12), key=window.results.__getitem__) for window in windows] == [7, 2, 6, 8, 5]
    assert math.gcd(*laps) == 1000  # its microseconds move in milliseconds
    assert not device.reads_back  # its log shows no `db print`, and this one has none


def test_single_runs_of_another_real_device_are_read(at):
    with closing(opened(at(by_command(Recorded("tiny-kws-h7a3zi.txt"))))) as device:
        device.timestamp_us()
        windows = [device.infer(1, 0, 10) for _ in range(4)]

    assert [window.elapsed_ns // 1000 for window in windows] == [48047, 48019, 48019, 48034]


def test_a_digit_that_was_flipped_on_the_way_is_seen_and_the_sample_loaded_again(doubler):
    flipped = []

    def harm(data: bytes) -> bytes:
        if data.startswith(b"db 0") and not flipped:
            flipped.append(data)
            return data.replace(b"0", b"1", 1)
        return data

    with closing(opened(doubler)) as device:
        doubler.harm = harm
        device.load(SAMPLE)
        assert device.infer(1, 0, 10).results == (0.5, -2, 6, 1)

    assert flipped


def test_a_digit_that_was_lost_on_the_way_is_seen_and_the_sample_loaded_again(doubler):
    lost = []

    def harm(data: bytes) -> bytes:
        if data.startswith(b"db 0") and not lost:
            lost.append(data)
            return data[:4] + data[5:]
        return data

    with closing(opened(doubler)) as device:
        doubler.harm = harm
        device.load(SAMPLE)

    assert lost


def test_a_line_that_harms_every_load_is_an_error(doubler):
    with closing(opened(doubler)) as device:
        doubler.harm = lambda data: data.replace(b"db 0", b"db 1", 1)

        with pytest.raises(DeviceError, match="holds other bytes than were loaded") as caught:
            device.load(SAMPLE)

    assert "?baud=" in caught.value.hint


def test_a_device_that_stands_in_the_middle_of_a_command_is_brought_out_of_it(doubler):
    host = os.open(doubler.place, os.O_RDWR | os.O_NOCTTY)
    os.write(host, b"db 00")
    with closing(opened(doubler)) as device:
        assert device.firmware.vendor == "edgeprof"
    os.close(host)


def test_a_line_where_nothing_answers_is_an_error_that_says_what_to_look_at(at):
    said = []
    silent = at(lambda _: iter(()))

    with pytest.raises(TransportError, match="nothing that speaks MLPerf Tiny's protocol answers") as caught:
        TinyDevice(parse_tiny(f"tiny+serial://{silent.place}?wait=1"), said.append)

    assert said == ["waiting for a device that speaks MLPerf Tiny's protocol"]
    assert "?baud=" in caught.value.hint


def test_a_sample_that_is_too_large_is_refused_in_the_devices_words(doubler):
    with closing(opened(doubler)) as device, pytest.raises(DeviceError, match="Supplied buffer size 17 exceeds"):
        device.load(bytes(17))


def without(*words: bytes):
    responder = Responder("edgeprof", "x01", 16, Doubler())

    def answer(data: bytes):
        for said in responder.heard(data):
            if not any(word in said for word in words):
                yield said

    return answer


def test_a_firmware_that_marks_times_on_a_pin_is_named(at):
    with closing(opened(at(without(b"m-lap-us")))) as device:
        device.load(SAMPLE)

        with pytest.raises(DeviceError, match="gave 0 timestamps instead of 2") as caught:
            device.infer(1, 0, 5)

        assert "EE_CFG_ENERGY_MODE" in caught.value.hint
        assert device.timestamp_us() is None


def test_a_firmware_without_results_is_named(at):
    with closing(opened(at(without(b"m-results")))) as device:
        device.load(SAMPLE)

        with pytest.raises(DeviceError, match="gave no results"):
            device.infer(1, 0, 5)


def test_a_device_that_hangs_in_a_run_is_given_up_at_the_limit(at):
    with closing(opened(at(hangs_in_infer()))) as device:
        device.load(SAMPLE)

        with pytest.raises(DeviceError, match="is not ready 1 s after `infer 1 0`"):
            device.infer(1, 0, 1)


def hangs_in_infer():
    responder = Responder("edgeprof", "x01", 16, Doubler())
    return lambda data: responder.heard(data) if b"infer" not in data else iter(())


def test_results_that_are_no_numbers_are_an_error(at):
    responder = Responder("edgeprof", "x01", 16, Doubler())

    def answer(data: bytes):
        for said in responder.heard(data):
            yield said.replace(b"m-results-[0", b"m-results-[zero")

    with closing(opened(at(answer))) as device:
        device.load(SAMPLE)

        with pytest.raises(DeviceError, match="results that are no numbers"):
            device.infer(1, 0, 5)


def test_a_line_that_is_unplugged_is_a_lost_link(doubler):
    with closing(opened(doubler)) as device:
        doubler.unplug()

        with pytest.raises(LinkLost, match="is gone"):
            device.timestamp_us()


def test_a_wait_ends_when_nobody_wants_it_any_more(at):
    class Enough(BaseException):
        pass

    wanted = [True]

    def look() -> None:
        if not wanted[0]:
            raise Enough

    with closing(opened(at(hangs_in_infer()), look)) as device:
        device.load(SAMPLE)
        wanted[0] = False

        with pytest.raises(Enough):
            device.infer(1, 0, 60)


def test_a_clock_of_32_bits_that_began_anew_is_no_negative_time(at):
    class Wrapping(Doubler):
        def clock_us(self):
            return 2**32 - 50

    responder = Responder("edgeprof", "x01", 16, Wrapping())

    def answer(data: bytes):
        for said in responder.heard(data):
            yield said.replace(str(2**32 + 50).encode(), b"50")

    with closing(opened(at(answer))) as device:
        device.load(SAMPLE)

        assert device.infer(1, 0, 5).elapsed_ns == 100_000
