"""JSON lines to and from a real process; errors as users see them."""

import sys
import textwrap

import pytest

from edgeprof.errors import ChildError, DeviceError, LinkLost
from edgeprof.remote.wire import Wire
from edgeprof.transport.local import LocalTransport


@pytest.fixture
def wire():
    """Return a maker of wires to a small program that answers each line by `answer(request)`."""
    transport = LocalTransport()

    def make(answer: str) -> Wire:
        program = textwrap.dedent("""
            import json, sys
            for line in sys.stdin:
                request = json.loads(line)
                for reply in answer(request):
                    print(reply if isinstance(reply, str) else json.dumps(reply), flush=True)
        """)
        return Wire(transport.open((sys.executable, "-c", textwrap.dedent(answer) + program)), "pi5")

    yield make
    transport.close()


def error(code: str, message: str = "text", data: str = "{}") -> str:
    return f"""
        def answer(request):
            return [{{"id": request["id"], "error": {{"code": {code!r}, "message": {message!r}, "data": {data}}}}}]
    """


def test_a_result_comes_back_with_its_progress(wire):
    seen = []
    made = wire("""
        def answer(request):
            number = request["id"]
            return [{"id": number, "progress": {"done": 1, "total": 2}}, {"id": number, "result": {"echo": request["params"]}}]
    """)

    result = made.call("open", {"a": 1}, 10, lambda done, total: seen.append((done, total)))

    assert result == {"echo": {"a": 1}}
    assert seen == [(1, 2)]


def test_the_end_of_a_request_that_was_given_up_is_passed_over(wire):
    made = wire("""
        def answer(request):
            return [{"id": 0, "result": {"old": 1}}, {"id": request["id"], "result": {"new": 1}}]
    """)

    assert made.call("clock", {}, 10) == {"new": 1}


def test_a_busy_board_names_who_has_it(wire):
    made = wire(error("busy", data='{"owner": "ann@lab", "since_unix_s": 0}'))

    with pytest.raises(DeviceError, match="`pi5` is in use by ann@lab since") as caught:
        made.call("hello", {}, 10)

    assert "wait until it is done" in caught.value.hint


def test_a_crashed_child_carries_its_code_and_the_runtimes_last_words(wire):
    made = wire(error("child_crashed", "died of SIGSEGV while in `invoke`", '{"stderr": "a\\nERROR: tensor 7"}'))

    with pytest.raises(
        ChildError, match="on `pi5`: died of SIGSEGV while in `invoke` .it said: ERROR: tensor 7"
    ) as caught:
        made.call("invoke", {}, 10)

    assert caught.value.code == "child_crashed"
    assert "not edgeprof's" in caught.value.hint


def test_a_full_disk_says_what_to_do(wire):
    made = wire(error("disk_full", "No space left on device"))

    with pytest.raises(DeviceError, match="`pi5` has no room left") as caught:
        made.call("invoke", {}, 10)

    assert "--home" in caught.value.hint


def test_an_agent_that_ends_says_its_last_line(wire):
    made = wire("""
        def answer(request):
            sys.exit("No module named ctypes")
    """)

    with pytest.raises(LinkLost, match="the agent on `pi5` ended with status 1: No module named ctypes"):
        made.call("hello", {}, 10)


def test_an_agent_that_says_nothing_is_given_up(wire):
    made = wire("""
        def answer(request):
            return []
    """)

    with pytest.raises(LinkLost, match="`pi5` did not answer `hello` in time"):
        made.call("hello", {}, 0.3)


@pytest.mark.parametrize("line", ["not json", "[1]", '"text"'])
def test_an_answer_that_is_no_object_is_refused(wire, line):
    made = wire(f"""
        def answer(request):
            return [{line!r}]
    """)

    with pytest.raises(DeviceError, match="the agent on `pi5` answered with something else"):
        made.call("hello", {}, 10)
