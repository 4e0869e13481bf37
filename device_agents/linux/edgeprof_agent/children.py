"""The agent's side of its children: starting them, hearing them, saying what became of them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid

from edgeprof_agent import files, memory
from edgeprof_agent.faults import Fault

_STDERR_BYTES = 2048
_LINE_BYTES = 1 << 20
_EXIT_GRACE_S = 5.0


class Child:
    """One launch's process.

    Attributes:
        number: What the host calls it.
        launch: The folder of its files.
        request_id: The request it is busy with, or `None`.
        deadline: Monotonic time at which that request has taken too long.
    """

    def __init__(self, home: str, number: int, params: dict) -> None:
        self._home = home
        self.number = number
        self.launch = "%s-%s" % (time.strftime("%Y%m%d-%H%M%S"), uuid.uuid4().hex[:8])
        self._folder = os.path.join(home, "launches", self.launch)
        self._stderr_path = os.path.join(self._folder, "stderr.txt")
        self._stage = "start"
        self._buffer = b""
        self._oom_kills = memory.oom_kills()
        self.request_id = None
        self.deadline = None
        self._timeout_s = 0.0
        task = self._task(params)
        os.makedirs(self._folder)
        self._process = self._spawn(task)

    def fileno(self) -> int:
        """Return the descriptor that its lines come from."""
        return self._process.stdout.fileno()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def begin(self, request_id: object, timeout_s: object, request: dict | None = None) -> None:
        """Make it busy with a request; without `request` that is its opening.

        Raises:
            Fault: `bad_request`: it is busy already, or the limit is no number.
        """
        if self.request_id is not None:
            raise Fault("bad_request", "child %d is busy" % self.number)
        if not isinstance(timeout_s, (int, float)) or timeout_s <= 0:
            raise Fault("bad_request", "timeout_s must be above 0, not %r" % (timeout_s,))
        self.request_id, self._timeout_s = request_id, timeout_s
        self.deadline = time.monotonic() + timeout_s
        if request is not None:
            try:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
            except OSError:
                pass  # it is dead: the end of its output says how

    def hear(self) -> list:
        """Return what it said since: messages, and `None` at its end."""
        data = os.read(self.fileno(), 1 << 16)
        self._buffer += data
        lines = self._buffer.split(b"\n")
        self._buffer = lines.pop()
        messages = [json.loads(line) for line in lines]
        for message in messages:
            self._stage = message.get("stage", self._stage)
        return messages + ([None] if not data else [])

    def opened(self, ready: dict) -> dict:
        """Return the result of `open` from what the child reports."""
        library = ready.pop("library")
        with open(library, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        ready.update(
            child=self.number,
            launch=self.launch,
            runtime={
                "name": self._about["name"],
                "version": self._about["version"],
                "library_sha256": digest,
                "delegate": ready.pop("delegate"),
            },
        )
        return ready

    def finished(self, result: dict) -> dict:
        """Return the result of `invoke` with its file described."""
        result.update(files.described(self._home, result.pop("path")))
        return result

    def what_became(self) -> Fault:
        """Return the fault that its unexpected end is."""
        try:
            status = self._process.wait(_EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            status = self._process.returncode
        data = {"stage": self._stage, "stderr": self._stderr()}
        if status is not None and status < 0:
            name = signal.Signals(-status).name if -status in list(signal.Signals) else "signal %d" % -status
            if name == "SIGKILL" and memory.oom_kills() > self._oom_kills:
                return Fault("child_out_of_memory", "the kernel ended the process for want of memory", data)
            data["signal"] = name
            return Fault("child_crashed", "the runtime's process died of %s while in `%s`" % (name, self._stage), data)
        data["exit_code"] = status
        return Fault("child_crashed", "the runtime's process ended with status %s in `%s`" % (status, self._stage), data)

    def enriched(self, error: dict) -> dict:
        """Return a child's own error with the runtime's last words."""
        data = dict(error.get("data") or {}, stage=self._stage, stderr=self._stderr())
        words = [line for line in data["stderr"].splitlines() if line.startswith(("ERROR", "E0"))]
        if words and error["code"] in ("model_refused", "runtime_failed", "invoke_failed"):
            error = dict(error, message="%s: %s" % (error["message"], " ".join(words[-2:])))
        return dict(error, data=data)

    def timed_out(self) -> Fault:
        """End it and return the fault that its slowness is."""
        self.kill()
        text = "no end after %g s in `%s`" % (self._timeout_s, self._stage)
        return Fault("child_timeout", text, {"stage": self._stage, "timeout_s": self._timeout_s})

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
            files.remove_launch(self._home, self.launch)

    def _task(self, params: dict) -> dict:
        folder = files.runtime_folder(self._home, params.get("runtime"))
        with open(os.path.join(folder, "runtime.json")) as file:
            self._about = json.load(file)
        sample = params.get("input")
        return {
            "runtime": folder,
            "about": self._about,
            "model": files.hashed(self._home, "models", params.get("model"), ".tflite"),
            "threads": _whole(params, "threads", 1),
            "cpus": params.get("cpus"),
            "input": None if sample is None else files.hashed(self._home, "inputs", sample, ".bin"),
            "memory_limit_bytes": params.get("memory_limit_bytes"),
            "launch": self._folder,
            "stderr": self._stderr_path,
        }

    def _spawn(self, task: dict) -> subprocess.Popen:
        command = [sys.executable, "-I"] + ([] if self._about.get("site_packages") else ["-S"])
        command += ["-B", os.path.abspath(sys.argv[0]), "child"]
        with open(self._stderr_path, "wb") as stderr:
            task["spawned_ns"] = time.monotonic_ns()
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=dict(os.environ, LC_ALL="C"),
                start_new_session=True,
            )
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
        return process

    def _stderr(self) -> str:
        with open(self._stderr_path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _STDERR_BYTES))
            return file.read().decode(errors="replace")


def _whole(params: dict, name: str, least: int) -> int:
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise Fault("bad_request", "%s must be a whole number from %d on, not %r" % (name, least, value))
    return value
