"""The agent's loop: requests from standard input, lines from children, one thread."""

from __future__ import annotations

import json
import os
import selectors
import sys
import time

from edgeprof_agent import PROTOCOL, VERSION, checks, system
from edgeprof_agent.children import MOST_SECONDS, MOST_THREADS, Child
from edgeprof_agent.errors import AgentError, from_exception
from edgeprof_agent.events import MAX_RUNS
from edgeprof_agent.files import Home
from edgeprof_agent.lines import LineReader, send
from edgeprof_agent.probe import probe
from edgeprof_agent.samplers import Sampler
from edgeprof_agent.stream import LEAST_BYTES, MOST_BYTES, MOST_ROUNDS
from edgeprof_agent.timing import MAX_COUNT

_MOST_CHILDREN = 8
_MOST_SAMPLERS = 2
_MOST_SAMPLES = 1 << 40
_MOST_NS = MOST_SECONDS * 1000000000
_FOLDERS = ("agents", "runtimes", "models", "inputs", "launches", "tmp")


def serve(folder: str) -> int:
    """Answer requests until standard input ends; then end every child and return 0."""
    home = Home(folder)
    for name in _FOLDERS:
        os.makedirs(os.path.join(home.path, name), exist_ok=True)
    server = Server(home, system.own_stdout())
    try:
        server.run()
    except BrokenPipeError:
        pass  # the host is gone
    finally:
        server.end()
    return 0


class Server:
    """One host's agent on one board."""

    def __init__(self, home: Home, wire: int) -> None:
        self._home = home
        self._wire = wire
        self._greeted = False
        self._children = {}
        self._fates = {}  # what became of children that died while nothing was asked of them
        self._samplers = {}
        self._numbers = 0
        self._lines = LineReader()
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ, None)
        self._methods = {
            "hello": self._hello, "clock": self._clock, "probe": self._probe, "open": self._open,
            "invoke": self._invoke, "per_op": self._per_op, "stream": self._stream, "snapshot": self._snapshot,
            "close": self._close, "cancel": self._cancel,
            "sampler_start": self._sampler_start, "sampler_stop": self._sampler_stop,
        }  # fmt: skip

    def run(self) -> None:
        """Loop until the host is gone.

        Raises:
            BrokenPipeError: It was gone before an answer.
        """
        while True:
            for key, _ in self._selector.select(self._patience_s()):
                if key.data is None:
                    if not self._read():
                        return
                elif key.data.number in self._children:
                    self._hear(key.data)
            self._end_the_slow()

    def end(self) -> None:
        """End every child and sampler."""
        for one in [*self._samplers.values(), *self._children.values()]:
            try:
                one.close() if isinstance(one, Sampler) else one.close(acknowledged=False)
            except OSError:
                continue  # the others must end too

    # Requests

    def _read(self) -> bool:
        data = os.read(0, 1 << 16)
        for line in self._lines.feed(data):
            if line is None:
                self._refuse(None, AgentError("bad_request", "a line above 1 MiB"))
            else:
                self._request(line)
        return bool(data)

    def _request(self, line: bytes) -> None:
        number = None
        try:
            message = _parsed(line)
            number = message.get("id")
            method, params = message.get("method"), message.get("params", {})
            if not isinstance(params, dict):
                raise AgentError("bad_request", "`params` must be an object")
            if not isinstance(method, str) or method not in self._methods:
                raise AgentError("unknown_method", "unknown method {}".format(repr(method)[:200]))
            if not self._greeted and method != "hello":
                raise AgentError("protocol", "`hello` comes first")
            result = self._methods[method](number, params)
        except Exception as exc:  # a fault of ours must not end the agent
            self._refuse(number, exc)
        else:
            if result is not None:
                self._send({"id": number, "result": result})

    def _refuse(self, number: object, exc: Exception) -> None:
        self._send({"id": number, "error": from_exception(exc).as_json()})

    def _send(self, message: dict) -> None:
        send(self._wire, message)

    # Methods: each returns its result, or `None` where a child will answer

    def _hello(self, _number: object, params: dict) -> dict:
        if params.get("protocol") != PROTOCOL:
            asked = repr(params.get("protocol"))[:200]
            raise AgentError("protocol", "this agent speaks protocol {}, not {}".format(PROTOCOL, asked))
        owner, discard = checks.text(params, "owner"), checks.flag(params, "discard")
        self._home.lock(owner)
        self._greeted = True
        ours = {one.launch for one in [*self._children.values(), *self._samplers.values()]}
        kept = [name for name in self._home.kept() if name not in ours]
        for name in kept if discard else ():
            self._home.forget(name)
        python = "{}.{}.{}".format(*sys.version_info[:3])
        return {"protocol": PROTOCOL, "agent": VERSION, "python": python, "pid": os.getpid(), "kept": kept}

    def _clock(self, _number: object, _params: dict) -> dict:
        return {"monotonic_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC), "unix_ns": time.time_ns()}

    def _probe(self, _number: object, _params: dict) -> dict:
        return probe(self._home.path)

    def _open(self, number: object, params: dict) -> None:
        if len(self._children) >= _MOST_CHILDREN:
            raise AgentError("too_many_children", "at most {} children are open at once".format(_MOST_CHILDREN))
        timeout_s = checks.number(params, "timeout_s", MOST_SECONDS)
        child = Child(self._home, self._numbers + 1, params)
        self._numbers = child.number
        self._children[child.number] = child
        self._selector.register(child, selectors.EVENT_READ, child)
        child.begin(number, timeout_s)

    def _invoke(self, number: object, params: dict) -> None:
        self._ask(number, self._child(params), params, self._work(params))

    def _per_op(self, number: object, params: dict) -> None:
        child = self._child(params)
        if not child.per_op:
            raise AgentError("bad_request", "child {} was not opened with `per_op`".format(child.number))
        self._ask(number, child, params, {"per_op": True, "count": checks.whole(params, "count", 1, MAX_RUNS)})

    def _stream(self, number: object, params: dict) -> None:
        how = params.get("how")
        if how not in ("copy", "read"):
            raise AgentError("bad_request", "`how` must be `copy` or `read`, not {}".format(repr(how)[:200]))
        work = {
            "how": how,
            "size_bytes": checks.whole(params, "size_bytes", LEAST_BYTES, MOST_BYTES),
            "threads": checks.whole(params, "threads", 1, MOST_THREADS),
            "rounds": checks.whole(params, "rounds", 1, MOST_ROUNDS),
        }
        self._ask(number, self._child(params), params, {"stream": work})

    def _ask(self, number: object, child: Child, params: dict, work: dict) -> None:
        child.begin(number, checks.number(params, "timeout_s", MOST_SECONDS))
        child.ask(work)

    def _work(self, params: dict) -> dict:
        if params.get("inputs") is not None:
            path = self._home.existing("inputs", params["inputs"], ".bin", "inputs")
            count = checks.whole(params, "count", 1, _MOST_SAMPLES)
            return {"inputs_path": path, "count": count, "fresh": checks.flag(params, "fresh")}
        count = checks.optional_whole(params, "count", 1, MAX_COUNT)
        duration_ns = checks.optional_whole(params, "duration_ns", 0, _MOST_NS)
        if (count is None) == (duration_ns is None):
            raise AgentError("bad_request", "give `count` or `duration_ns`, and not both")
        interval_ns = checks.optional_whole(params, "interval_ns", 1, _MOST_NS)
        pace = {"interval_ns": interval_ns, "most_samples": checks.optional_whole(params, "most_samples", 1, MAX_COUNT)}
        if count is not None:
            return dict(pace, count=count)
        least = checks.optional_whole(params, "min_count", 1, MAX_COUNT) or 1
        most = checks.optional_whole(params, "max_count", least, MAX_COUNT) or MAX_COUNT
        return dict(pace, duration_ns=duration_ns, min_count=least, max_count=most)

    def _snapshot(self, _number: object, params: dict) -> dict:
        return self._child(params).snapshot()

    def _close(self, _number: object, params: dict) -> dict:
        acknowledged = checks.flag(params, "acknowledged")
        self._end(self._child(params), AgentError("cancelled", "the child was closed"), acknowledged)
        return {}

    def _cancel(self, _number: object, params: dict) -> dict:
        self._end(self._child(params), AgentError("cancelled", "the host called it off"), acknowledged=False)
        return {}

    def _sampler_start(self, _number: object, params: dict) -> dict:
        if len(self._samplers) >= _MOST_SAMPLERS:
            raise AgentError("bad_request", "at most {} samplers run at once".format(_MOST_SAMPLERS))
        taken = {core for child in self._children.values() for core in child.cpus or ()}
        sampler = Sampler(self._home, params, taken)
        self._numbers += 1
        self._samplers[self._numbers] = sampler
        return {"sampler": self._numbers, "launch": sampler.launch}

    def _sampler_stop(self, _number: object, params: dict) -> dict:
        number = checks.whole(params, "sampler", 1, MAX_COUNT)
        if number not in self._samplers:
            raise AgentError("no_such_child", "no sampler {} runs".format(number))
        return self._samplers.pop(number).stop()

    # Children

    def _child(self, params: dict) -> Child:
        number = checks.whole(params, "child", 1, MAX_COUNT)
        if number in self._fates:
            raise self._fates.pop(number)
        if number not in self._children:
            raise AgentError("no_such_child", "no child {} is open".format(number))
        return self._children[number]

    def _hear(self, child: Child) -> None:
        for message in child.hear():
            if message is None:
                self._end(child, child.what_became(), acknowledged=False)
                return
            if "progress" in message and child.busy:
                self._send({"id": child.request_id, "progress": message["progress"]})
            elif "result" in message:
                self._finish(child, message["result"])
            elif "error" in message:
                died = message["error"]["code"].startswith("child_")
                self._answer(child, {"error": child.refused(message["error"])})
                if died or not child.ready:
                    self._forget(child, acknowledged=not died)
                    return

    def _finish(self, child: Child, result: dict) -> None:
        try:
            body = {"result": child.finished(result)}
        except OSError as exc:
            body = {"error": from_exception(exc).as_json()}
        self._answer(child, body)

    def _answer(self, child: Child, body: dict) -> None:
        number = child.request_id
        child.done()
        self._send(dict(body, id=number))

    def _end(self, child: Child, why: AgentError, acknowledged: bool) -> None:
        """End a child; its request learns why. Of a death between requests the next one that names it learns."""
        number, busy = child.request_id, child.busy
        self._forget(child, acknowledged)
        if busy:
            self._refuse(number, why)
        elif why.code != "cancelled":
            self._fates[child.number] = why

    def _forget(self, child: Child, acknowledged: bool) -> None:
        self._selector.unregister(child)
        del self._children[child.number]
        child.close(acknowledged)

    def _patience_s(self) -> object:
        deadlines = [child.deadline for child in self._children.values() if child.busy]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _end_the_slow(self) -> None:
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.busy and now >= child.deadline:
                self._end(child, child.timed_out(), acknowledged=False)


def _parsed(line: bytes) -> dict:
    try:
        message = json.loads(line.decode())
    except (ValueError, RecursionError) as exc:
        raise AgentError("bad_request", "not a line of JSON: {}".format(exc)) from None
    if not isinstance(message, dict):
        raise AgentError("bad_request", "a request is an object")
    return message
