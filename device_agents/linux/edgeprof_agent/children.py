"""The agent's side of its children: starting them, hearing them, saying what became of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from edgeprof_agent import checks, cold, memory, system
from edgeprof_agent.errors import AgentError
from edgeprof_agent.files import Home, described
from edgeprof_agent.lines import LineReader
from edgeprof_agent.runtimes import about_runtime, library_sha256

MOST_THREADS = 256
MOST_SECONDS = 7 * 24 * 3600
_STDERR_BYTES = 2048
_EXIT_GRACE_S = 5.0
_MOST_BYTES = 1 << 62
_NO_MEMORY = ("bad_alloc", "MemoryError", "annot allocate memory", "ut of memory")


def spawn(command: list, **streams: object) -> subprocess.Popen:
    """Start this file again as another process, in its own process group and with plain messages."""
    argv = [sys.executable, "-I", *command[:-1], "-B", os.path.abspath(sys.argv[0]), command[-1]]
    return subprocess.Popen(argv, env=dict(os.environ, LC_ALL="C"), start_new_session=True, **streams)


def pin(process: subprocess.Popen, cpus: object) -> None:
    """Confine a process that has only its first thread yet; its later threads inherit that.

    Raises:
        AgentError: `bad_request`: this board has no such cores, or not for us. The process is ended then.
    """
    try:
        if cpus is not None:
            os.sched_setaffinity(process.pid, cpus)
    except OSError as exc:
        process.kill()
        process.wait()
        raise AgentError("bad_request", "cannot run on cores {}: {}".format(cpus, exc.strerror)) from None


class Child:
    """One launch's process.

    Attributes:
        number: What the host calls it.
        launch: The name of the folder of its files.
        cpus: The cores it was confined to, or `None`.
        per_op: It runs with the runtime's profiler.
        evicted: What became of the files that were to leave the page cache before it began, or `None`.
        request_id: The request it is busy with; only of meaning while `busy`.
        busy: It works on a request.
        deadline: Monotonic time at which that request has taken too long, or `None`.
        ready: Its `open` is done; an error then need not be its end.
    """

    def __init__(self, home: Home, number: int, params: dict) -> None:
        spec = self._spec(home, params)
        self._home = home
        self.number = number
        self.cpus = spec["cpus"]
        self.per_op = spec["per_op"]
        self.evicted = _evicted([spec["model"], *cold.files_below(spec["folder"])]) if spec["cold"] else None
        self.request_id, self.busy, self.deadline = None, False, None
        self.ready = False
        self._limited = spec["memory_limit_bytes"] is not None
        self._timeout_s = 0.0
        self._stage = "start"
        self._lines = LineReader()
        self._oom_kills = system.oom_kills()
        self.launch = home.new_launch()
        self._stderr_path = os.path.join(home.launch_path(self.launch), "stderr.txt")
        try:
            self._process = self._spawn(dict(spec, launch_path=home.launch_path(self.launch)))
        except (OSError, AgentError):
            home.forget(self.launch)
            raise

    def fileno(self) -> int:
        """Return the descriptor that its lines come from."""
        return self._process.stdout.fileno()

    def begin(self, request_id: object, timeout_s: float) -> None:
        """Make it busy with a request.

        Raises:
            AgentError: `bad_request`: it is busy already.
        """
        if self.busy:
            raise AgentError("bad_request", "child {} is busy".format(self.number))
        self.request_id, self.busy, self._timeout_s = request_id, True, timeout_s
        self.deadline = time.monotonic() + timeout_s

    def ask(self, request: dict) -> None:
        """Send it what it is to do."""
        self._stage = "invoke"
        self._write(request)

    def done(self) -> None:
        """Make it free for the next request."""
        self.request_id, self.busy, self.deadline = None, False, None

    def hear(self) -> list:
        """Return the messages it sent since, and `None` at its end. What is no message is no word of ours: left out."""
        data = os.read(self.fileno(), 1 << 16)
        messages = [message for message in map(_message, self._lines.feed(data)) if message]
        for message in messages:
            self._stage = message.get("stage", self._stage)
        return messages + ([] if data else [None])

    def finished(self, result: dict) -> dict:
        """Return the result of `open` or `invoke` from what the child reports.

        Raises:
            OSError: Its file cannot be read.
        """
        if not self.ready:
            self.ready = True
            return dict(result, child=self.number, launch=self.launch, evicted=self.evicted)
        path = result.pop("path")
        return dict(result, **described(self._home.path, path))

    def snapshot(self) -> dict:
        """Return the protocol's `snapshot`.

        Raises:
            AgentError: As `what_became`, where the process has ended.
        """
        try:
            return memory.snapshot(self._process.pid)
        except (OSError, KeyError):
            raise self.what_became() from None

    def what_became(self) -> AgentError:
        """Return the error that its unexpected end is."""
        try:
            status = self._process.wait(_EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            status = self._process.returncode
        data = self._last_words()
        name = _signal_name(-status) if status < 0 else None
        if name == "SIGKILL" and system.oom_kills() > self._oom_kills:
            return AgentError("child_out_of_memory", "the kernel ended the process for want of memory", data)
        if self._limited and any(words in data["stderr"] for words in _NO_MEMORY):
            return AgentError("child_out_of_memory", "the memory limit was reached in `{}`".format(self._stage), data)
        data.update({"signal": name} if name else {"exit_code": status})
        how = "died of {}".format(name) if name else "ended with status {}".format(status)
        return AgentError("child_crashed", "the runtime's process {} in `{}`".format(how, self._stage), data)

    def refused(self, error: dict) -> dict:
        """Return a child's own error with the stage and the runtime's last words."""
        return dict(error, data=dict(error.get("data") or {}, **self._last_words()))

    def timed_out(self) -> AgentError:
        """End it and return the error that its slowness is."""
        self.kill()
        text = "no end after {:g} s in `{}`".format(self._timeout_s, self._stage)
        return AgentError("child_timeout", text, dict(self._last_words(), timeout_s=self._timeout_s))

    def kill(self) -> None:
        """End it with everything it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def close(self, acknowledged: bool) -> None:
        """End it; its files may go if the host has them."""
        self.kill()
        self._process.stdin.close()
        self._process.stdout.close()
        if acknowledged:
            self._home.forget(self.launch)

    def _spec(self, home: Home, params: dict) -> dict:
        folder = home.existing("runtimes", params.get("runtime"), "", "runtime")
        sample = params.get("input")
        about = about_runtime(folder)
        return {
            "folder": folder,
            "about": about,
            "library_sha256": library_sha256(folder, about),
            "model": home.existing("models", params.get("model"), ".tflite", "model"),
            "threads": checks.whole(params, "threads", 1, MOST_THREADS),
            "cpus": checks.cores(params),
            "input": None if sample is None else home.existing("inputs", sample, ".bin", "input"),
            "memory_limit_bytes": checks.optional_whole(params, "memory_limit_bytes", 1, _MOST_BYTES),
            "per_op": checks.flag(params, "per_op"),
            "cold": checks.flag(params, "cold"),
            "parent": os.getpid(),
        }

    def _spawn(self, spec: dict) -> subprocess.Popen:
        bare = [] if spec["about"]["site_packages"] else ["-S"]
        with open(self._stderr_path, "wb") as stderr:
            spec["spawned_ns"] = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": stderr, "bufsize": 0}
            self._process = spawn([*bare, "child"], **streams)
        pin(self._process, self.cpus)
        self._write(spec)
        return self._process

    def _write(self, message: dict) -> None:
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            pass  # it is dead: the end of its output says how

    def _last_words(self) -> dict:
        with open(self._stderr_path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _STDERR_BYTES))
            return {"stage": self._stage, "stderr": file.read().decode(errors="replace")}


def _evicted(paths: list) -> dict:
    try:
        return cold.evict(paths)
    except OSError as exc:
        return {"error": str(exc)}


def _message(line: bytes) -> object:
    try:
        message = json.loads(line.decode())
    except (AttributeError, ValueError):
        return None
    return message if isinstance(message, dict) else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal {}".format(number)
