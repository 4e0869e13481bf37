"""The agent's loop: requests from standard input, lines from children, one thread."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import subprocess
import sys
import time
import traceback
import uuid

from edgeprof_agent import PROTOCOL, VERSION, files, memory
from edgeprof_agent.children import Child
from edgeprof_agent.faults import Fault, from_oserror
from edgeprof_agent.probe import probe

_MOST_CHILDREN = 2
_LINE_BYTES = 1 << 20
_FOLDERS = ("agents", "runtimes", "models", "inputs", "launches", "tmp")


def serve(home: str) -> None:
    """Answer requests until standard input ends; then end every child."""
    home = os.path.abspath(os.path.expanduser(home))
    for folder in _FOLDERS:
        os.makedirs(os.path.join(home, folder), exist_ok=True)
    server = Server(home, os.dup(1))
    os.dup2(2, 1)
    try:
        server.run()
    finally:
        server.end()


class Server:
    """One host's agent on one board."""

    def __init__(self, home: str, out: int) -> None:
        self._home = home
        self._out = out
        self._lock = None
        self._children = {}
        self._samplers = {}
        self._numbers = 0
        self._buffer = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ, None)
        self._methods = {
            "hello": self._hello, "clock": self._clock, "probe": self._probe, "open": self._open,
            "invoke": self._invoke, "snapshot": self._snapshot, "close": self._close,
            "sampler_start": self._sampler_start, "sampler_stop": self._sampler_stop, "cancel": self._cancel,
        }  # fmt: skip

    def run(self) -> None:
        """Loop until the host is gone."""
        while True:
            for key, _ in self._selector.select(self._patience_s()):
                if key.data is None:
                    if not self._read():
                        return
                else:
                    self._hear(key.data)
            self._end_the_slow()

    def end(self) -> None:
        """End every child and sampler."""
        for child in list(self._children.values()):
            child.close(acknowledged=False)
        for process, _, _ in self._samplers.values():
            process.kill()

    # Requests

    def _read(self) -> bool:
        data = os.read(0, 1 << 16)
        self._buffer += data
        lines = self._buffer.split(b"\n")
        self._buffer = lines.pop()
        if len(self._buffer) > _LINE_BYTES:
            self._buffer = b""
            self._send({"id": None, "error": Fault("bad_request", "a line above 1 MiB").as_error()})
        for line in lines:
            self._request(line)
        return bool(data)

    def _request(self, line: bytes) -> None:
        number = None
        try:
            message = json.loads(line.decode())
            if not isinstance(message, dict) or not isinstance(message.get("params", {}), dict):
                raise Fault("bad_request", "a request is an object with an object of params")
            number = message.get("id")
            method = self._methods.get(message.get("method"))
            if method is None:
                raise Fault("unknown_method", "unknown method %r" % (message.get("method"),))
            if self._lock is None and message["method"] != "hello":
                raise Fault("protocol", "`hello` comes first")
            result = method(number, message.get("params", {}))
        except Fault as exc:
            self._send({"id": number, "error": exc.as_error()})
        except ValueError as exc:
            self._send({"id": number, "error": Fault("bad_request", "not JSON: %s" % exc).as_error()})
        except OSError as exc:
            self._send({"id": number, "error": from_oserror(exc).as_error()})
        except Exception as exc:  # a fault of ours must not end the agent
            last = traceback.format_exc().strip().splitlines()[-3].strip()
            text = "%s: %s (%s)" % (type(exc).__name__, exc, last)
            self._send({"id": number, "error": Fault("internal", text).as_error()})
        else:
            if result is not None:
                self._send({"id": number, "result": result})

    def _send(self, message: dict) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self._out, data) :]

    # Methods: each returns its result, or `None` where a child will answer

    def _hello(self, _number: object, params: dict) -> dict:
        if params.get("protocol") != PROTOCOL:
            raise Fault("protocol", "this agent speaks protocol %d, not %r" % (PROTOCOL, params.get("protocol")))
        if self._lock is None:
            self._take_lock(str(params.get("owner")))
        kept = files.kept_launches(self._home)
        if params.get("discard"):
            for name in kept:
                files.remove_launch(self._home, name)
        python = "%d.%d.%d" % sys.version_info[:3]
        return {"protocol": PROTOCOL, "agent": VERSION, "python": python, "pid": os.getpid(), "kept": kept}

    def _take_lock(self, owner: str) -> None:
        lock = open(os.path.join(self._home, "lock"), "a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            try:
                held = json.loads(lock.read())
            except ValueError:
                held = {}
            lock.close()
            raise Fault("busy", "the board is in use", held) from None
        lock.seek(0)
        lock.truncate()
        lock.write(json.dumps({"owner": owner, "since_unix_s": time.time()}))
        lock.flush()
        self._lock = lock

    def _clock(self, _number: object, _params: dict) -> dict:
        return {"monotonic_ns": time.monotonic_ns(), "unix_ns": time.time_ns()}

    def _probe(self, _number: object, _params: dict) -> dict:
        return probe(self._home)

    def _open(self, number: object, params: dict) -> None:
        if len(self._children) >= _MOST_CHILDREN:
            raise Fault("too_many_children", "at most %d children are open at once" % _MOST_CHILDREN)
        self._numbers += 1
        child = Child(self._home, self._numbers, params)
        self._children[child.number] = child
        self._selector.register(child, selectors.EVENT_READ, child)
        child.begin(number, params.get("timeout_s"))

    def _invoke(self, number: object, params: dict) -> None:
        child = self._child(params)
        child.begin(number, params.get("timeout_s"), self._work(params))

    def _work(self, params: dict) -> dict:
        if params.get("inputs") is not None:
            path = files.hashed(self._home, "inputs", params["inputs"], ".bin")
            return {"inputs": path, "count": _positive(params, "count"), "fresh": bool(params.get("fresh"))}
        if params.get("count") is not None:
            return {"count": _positive(params, "count")}
        duration = {"duration_ns": _positive(params, "duration_ns")}
        for name in ("min_count", "max_count"):
            if params.get(name) is not None:
                duration[name] = _positive(params, name)
        return duration

    def _snapshot(self, _number: object, params: dict) -> dict:
        return memory.snapshot(self._child(params).pid)

    def _close(self, _number: object, params: dict) -> dict:
        child = self._child(params)
        self._fail(child, Fault("cancelled", "the child was closed"))
        self._forget(child, bool(params.get("acknowledged")))
        return {}

    def _cancel(self, _number: object, params: dict) -> dict:
        child = self._child(params)
        self._fail(child, Fault("cancelled", "the host called it off"))
        self._forget(child, acknowledged=False)
        return {}

    def _sampler_start(self, _number: object, params: dict) -> dict:
        hz = params.get("hz")
        if not isinstance(hz, (int, float)) or not 0 < hz <= 1000:
            raise Fault("bad_request", "hz must be above 0 and at most 1000, not %r" % (hz,))
        self._numbers += 1
        name = "sampler-%s" % uuid.uuid4().hex[:8]
        folder = os.path.join(self._home, "launches", name)
        os.makedirs(folder)
        path = os.path.join(folder, "samples.jsonl")
        command = [sys.executable, "-I", "-S", "-B", os.path.abspath(sys.argv[0]), "sampler"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
        task = {"path": path, "hz": hz, "cpus": params.get("cpus")}
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
        self._samplers[self._numbers] = (process, path, name)
        return {"sampler": self._numbers, "launch": name}

    def _sampler_stop(self, _number: object, params: dict) -> dict:
        if params.get("sampler") not in self._samplers:
            raise Fault("no_such_child", "no sampler %r" % (params.get("sampler"),))
        process, path, _ = self._samplers.pop(params["sampler"])
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with open(path) as file:
            count = sum(1 for _ in file)
        return dict(files.described(self._home, path), count=count)

    # Children

    def _child(self, params: dict) -> Child:
        child = self._children.get(params.get("child"))
        if child is None:
            raise Fault("no_such_child", "no child %r is open" % (params.get("child"),))
        return child

    def _hear(self, child: Child) -> None:
        for message in child.hear():
            if message is None:
                if child.number in self._children:
                    self._fail(child, child.what_became())
                    self._forget(child, acknowledged=False)
            elif "progress" in message:
                self._send({"id": child.request_id, "progress": message["progress"]})
            elif "ready" in message:
                self._finish(child, lambda said=message: child.opened(said["ready"]))
            elif "result" in message:
                self._finish(child, lambda said=message: child.finished(said["result"]))
            elif "error" in message:
                self._answer(child, {"error": child.enriched(message["error"])})
                self._forget(child, acknowledged=True)
                return

    def _finish(self, child: Child, result: object) -> None:
        try:
            self._answer(child, {"result": result()})
        except OSError as exc:
            self._fail(child, from_oserror(exc))

    def _fail(self, child: Child, fault: Fault) -> None:
        if child.request_id is not None:
            self._answer(child, {"error": fault.as_error()})

    def _answer(self, child: Child, body: dict) -> None:
        self._send(dict(body, id=child.request_id))
        child.request_id = child.deadline = None

    def _forget(self, child: Child, acknowledged: bool) -> None:
        self._selector.unregister(child)
        del self._children[child.number]
        child.close(acknowledged)

    def _patience_s(self) -> float | None:
        deadlines = [child.deadline for child in self._children.values() if child.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _end_the_slow(self) -> None:
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.deadline is not None and now >= child.deadline:
                self._fail(child, child.timed_out())
                self._forget(child, acknowledged=False)


def _positive(params: dict, name: str) -> int:
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Fault("bad_request", "%s must be a whole number from 1 on, not %r" % (name, value))
    return value
