"""Which layers to leave in float: what is tried, and what is chosen of it."""

from edgeprof.compress.error_report import OpError, Trial
from edgeprof.compress.leaving import fine, search

N = 100
ROWS = (
    OpError("first", "CONV_2D", "m/first", 0.3, 1.0, 40.0),
    OpError("noisy", "FULLY_CONNECTED", "m/noisy", 9.0, 30.0, 50.0),
    OpError("narrow", "FULLY_CONNECTED", "m/narrow", 0.29, 0.5, 0.4),
    OpError("last", "SOFTMAX", "m/last", 0.35, 0.5, 30.0),
)
READERS = {"first": ("noisy",), "noisy": ("narrow",), "narrow": ("last",), "last": ()}


def conversions(*needed, bad=(40, 3.0), partly=None):
    """Return what converts: fine only with all layers needed in float; and the list of what was tried."""
    tried = []

    def convert(leave, _):
        tried.append(leave)
        have = set(leave) & set(needed)
        agreed, decibels = (100, 40.0) if have == set(needed) else (partly or {}).get(len(have), bad)
        return Trial(leave, 1000 + 100 * len(leave), decibels, agreed)

    return convert, tried


def test_a_model_that_int8_leaves_as_it_is_needs_no_trial():
    convert, tried = conversions()

    found = search(ROWS, READERS, N, convert)

    assert tried == [()]
    assert (found.chosen, found.verdict(None)) == (None, "fine")


def test_the_layer_that_breaks_int8_is_left_in_float_alone():
    convert, tried = conversions("noisy")

    found = search(ROWS, READERS, N, convert)

    assert tried[:2] == [(), ("noisy",)]
    assert found.chosen.leave_float == ("noisy",)
    assert found.verdict(found.chosen) == "repaired"


def test_a_tensor_that_is_too_narrow_is_left_in_float_with_what_reads_it():
    convert, _ = conversions("narrow", "last")

    assert search(ROWS, READERS, N, convert).chosen.leave_float == ("last", "narrow")


def test_layers_that_help_alone_are_joined_until_it_is_fine():
    convert, _ = conversions("first", "noisy", "last", partly={1: (60, 6.0), 2: (80, 12.0)})

    assert search(ROWS, READERS, N, convert).chosen.leave_float == ("first", "last", "noisy")


def test_what_helps_and_does_not_repair_is_said_to():
    convert, _ = conversions("noisy", "no such layer", partly={1: (70, 9.0)})

    found = search(ROWS, READERS, N, convert)

    assert found.chosen.leave_float == ("noisy",)
    assert found.verdict(found.chosen) == "improved"


def test_where_nothing_helps_nothing_is_suggested():
    convert, tried = conversions("no such layer")

    found = search(ROWS, READERS, N, convert)

    assert (found.chosen, found.verdict(None)) == (None, "nothing")
    assert len(tried) == len(set(tried)) > 4


def test_fine_means_the_same_classes_and_little_error():
    assert fine(Trial((), 1, None, None), N)
    assert fine(Trial((), 1, 20.0, 99), N)
    assert not fine(Trial((), 1, 20.0, 98), N)
    assert not fine(Trial((), 1, 19.9, 100), N)
