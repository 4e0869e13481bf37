"""MLPerf Tiny's protocol: what our end answers, held against what real devices said; inputs, URLs, windows."""

import re

import numpy as np
import pytest

from edgeprof.errors import TransportError, UsageError
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.tinychecks import check_request, doubtful_windows
from edgeprof.profile.tinyports import open_port
from edgeprof.records import RunPlan, RunWindow, TensorSpec
from edgeprof.stats import window_estimates
from edgeprof.tiny import Responder, as_answered, as_sent, as_tensor, form_of, parse_tiny
from tests.tinydevices import dialogue
from tests.unit.test_reports import RUN

IMAGE = TensorSpec("in", (1, 2, 2), "int8", 1 / 128, 0)


class Spoken:
    """A runner with the clock and the results of a recorded dialogue."""

    def __init__(self, pairs):
        said = "\n".join(line for _, lines in pairs for line in lines)
        self.laps = [int(lap) for lap in re.findall(r"m-lap-us-(\d+)", said)]
        self.outputs = [tuple(map(float, text.split(","))) for text in re.findall(r"m-results-\[(.*)\]", said)]
        self.loaded = []

    def load(self, sample):
        self.loaded.append(sample)

    def clock_us(self):
        self.start = self.laps.pop(0)
        return self.start

    def run(self, _count):
        return self.laps.pop(0) - self.start if len(self.laps) % 2 else 0  # warm-up runs have no times

    def results(self):
        return self.outputs.pop(0)


def answered(responder, text: str) -> list[str]:
    return b"".join(responder.heard(text.encode())).decode().split("\r\n")[:-1]


@pytest.mark.parametrize("name", ["tiny-kws-l4r5zi.txt", "tiny-ad-l4r5zi.txt"])
def test_our_end_says_word_for_word_what_a_real_device_said(name):
    pairs = dialogue(name)
    model = next(line for line in pairs[0][1] if "model" in line)[9:-1]
    responder = Responder("edgeprof", model, 2, Spoken(pairs))
    answered(responder, "db load 2%db 0102%")

    for command, lines in pairs:
        assert answered(responder, f"{command}%") == lines


@pytest.fixture
def responder():
    return Responder("edgeprof", "ic01", 4, Spoken([]))


def test_a_sample_comes_in_pieces_and_is_read_back(responder):
    assert answered(responder, "db load 4%") == ["m-[Expecting 4 bytes]", "m-ready"]
    assert answered(responder, "db 0aFF%") == ["m-ready"]
    assert answered(responder, "db 1020%") == ["m-load-done", "m-ready"]
    assert answered(responder, "db print%") == ["m-buffer-0a-ff-10-20", "m-ready"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("nonsense", "e-[Unknown command: nonsense]"),
        ("db", "e-[Command 'db' requires a subcommand]"),
        ("db load", "e-[Command 'db load' requires the # of bytes]"),
        ("db load 0", "e-[Command 'db load' must be >0 bytes]"),
        ("db load 5", "Supplied buffer size 5 exceeds maximum of 4"),
        ("db abc", "e-[Insufficent number of hex digits]"),
        ("db 0g", "e-[Invalid hex digit '0g']"),
        ("infer 0", "e-[Inference iterations must be >0]"),
        ("infer 1 -1", "e-[Inference warmup must be >=0]"),
        ("infer 1", "e-[Input has 0 bytes, expected 4]"),
    ],
)
def test_what_it_cannot_do_it_says_as_the_reference_does_and_is_ready_again(responder, command, answer):
    assert answered(responder, f"{command}%") == [answer, "m-ready"]


def test_an_empty_command_is_answered_and_not_a_fault(responder):
    assert answered(responder, "%") == ["m-ready"]


@pytest.mark.parametrize("form", ["raw", "uint8", "float32"])
def test_a_sample_comes_back_out_of_every_form(form):
    tensor = np.array([-128, -1, 0, 127], np.int8).tobytes()

    assert as_tensor(IMAGE, form, as_sent(IMAGE, form, tensor)) == tensor


def test_images_go_as_unsigned_bytes_as_the_reference_takes_them():
    assert as_sent(IMAGE, form_of("ic01"), np.array([-128, 0, 127], np.int8).tobytes()) == bytes([0, 128, 255])
    assert (form_of("kws01"), form_of("ad01"), form_of(None)) == ("raw", "float32", "raw")


def test_ad01_answers_with_one_error_as_the_reference_does_and_others_with_their_outputs():
    sent, outputs = np.array([1, 2, 3], "<f4").tobytes(), np.array([2, 2, 5], np.float32)

    assert as_answered("ad01", "float32", sent, outputs) == pytest.approx((5 / 3,))
    assert as_answered("ad01", "raw", sent, outputs) == (2, 2, 5)
    assert as_answered("ad01", "float32", sent, outputs[:2]) == (2, 2)  # another model, of which no error is known
    assert as_answered("kws01", "float32", sent, outputs) == (2, 2, 5)


def test_a_url_is_a_console_after_tiny():
    found = parse_tiny("tiny+serial:///dev/ttyACM0?input=uint8&baud=9600&wait=3")

    assert (found.form, found.line.place, found.line.baud, found.line.wait_s) == ("uint8", "/dev/ttyACM0", 9600, 3)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("tiny+serial:///dev/ttyACM0?input=int9", "`input=int9`"),
        ("tiny+serial:///dev/ttyACM0?bauds=1", "unknown option `bauds`"),
        ("tiny+ssh://pi@host", "not a serial console"),
    ],
)
def test_a_url_that_cannot_be_is_refused(url, message):
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        parse_tiny(url)

    assert caught.value.hint


def windows(*elapsed_s: float, runs: int = 100, host_s: float | None = None) -> tuple[RunWindow, ...]:
    return tuple(
        RunWindow(index, runs, round(s * 1e9), 1_000_000, round((s if host_s is None else host_s) * 1e9))
        for index, s in enumerate(elapsed_s)
    )


def test_latency_is_the_median_of_windows_and_its_ends_hold_the_clocks_step():
    mean, low, high = window_estimates(windows(10.0, 10.4, 10.1))

    assert (mean.statistic, mean.point, mean.n_samples, mean.low) == ("mean", 101_000_000, 300, None)
    assert (low.point, high.point) == (99_990_000, 104_010_000)


def test_five_windows_of_ten_seconds_leave_no_doubt():
    assert list(doubtful_windows(windows(*[10.5] * 5))) == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (windows(*[10.5] * 4), "short_window"),
        (windows(*[9.0] * 5), "short_window"),
        (windows(*[10.5] * 5, host_s=21.0), "device_clock"),
    ],
)
def test_short_windows_and_strange_clocks_are_doubted(given, code):
    assert [found for found, _ in doubtful_windows(given)] == [code]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"threads": (2,)}, "--threads"),
        ({"cpus": ("big",)}, "--cpus"),
        ({"plan": RunPlan(rate_hz=10)}, "--rate"),
        ({"plan": RunPlan(sustained_s=60)}, "--sustained"),
        ({"plan": RunPlan(idle=True)}, "--idle"),
        ({"per_op": True}, "--per-op"),
        ({"cold": True}, "--cold"),
        ({"threads": (1, 2)}, "measures one cell, not 2"),
    ],
)
def test_what_the_protocol_has_no_words_for_is_refused(asked, message):
    request = ProfileRequest((RUN.artifact,), **asked)

    with pytest.raises(UsageError, match=message) as caught:
        check_request(request)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("port", "kind"),
    [("tcp:x", UsageError), ("tcp:70000", UsageError), ("some", UsageError), ("/dev/null", TransportError)],
)
def test_a_port_to_serve_on_that_cannot_be_is_named(port, kind):
    with pytest.raises(kind, match=f"`{port}`") as caught:
        open_port(port)

    assert caught.value.hint
