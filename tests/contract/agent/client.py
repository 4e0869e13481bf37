"""A host reduced to what the tests need: the real agent as a subprocess, a deadline on every read."""

import hashlib
import json
import os
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from edgeprof.remote.pyz import agent_archive

MODELS = Path(__file__).parent / "models"
PATIENCE_S = 30.0


class Refused(Exception):  # noqa: N818 - what happened, not an error of the tests
    """The agent answered with an error."""

    def __init__(self, error: dict) -> None:
        super().__init__(f"{error['code']}: {error['message']} {error['data'].get('stderr', '')}")
        self.code = error["code"]
        self.message = error["message"]
        self.data = error["data"]


@dataclass(frozen=True)
class Runtime:
    """A runtime's folder, taken out of its archive."""

    folder: str
    path: Path


class Board:
    """A folder laid out as the host lays it out on a board."""

    def __init__(self, home: Path, runtimes: tuple[Runtime, ...] = ()) -> None:
        self.home = home
        data, sha256 = agent_archive()
        for name in ("agents", "runtimes", "models", "inputs", "launches", "tmp"):
            (home / name).mkdir(parents=True, exist_ok=True)
        self.pyz = home / "agents" / f"{sha256}.pyz"
        self.pyz.write_bytes(data)
        for runtime in runtimes:
            (home / "runtimes" / runtime.folder).symlink_to(runtime.path)

    @property
    def place(self) -> str:
        """Return the folder as the agent knows it."""
        return str(self.home)

    def read(self, file: str) -> bytes:
        """Return a file that the agent named."""
        return (self.home / file).read_bytes()

    def linux_agent(self, python: str) -> tuple[str, ...]:
        """Return the command of the agent in Python, but for what it is to do."""
        return (python, "-I", "-S", "-B", str(self.pyz))

    def model(self, model: Path | bytes) -> str:
        return self._push("models", model if isinstance(model, bytes) else model.read_bytes(), ".tflite")

    def inputs(self, data: bytes) -> str:
        return self._push("inputs", data, ".bin")

    def _push(self, folder: str, data: bytes, suffix: str) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        (self.home / folder / f"{sha256}{suffix}").write_bytes(data)
        return sha256


class Agent:
    """The host's end of one running agent."""

    def __init__(self, board: Board, command: tuple[str, ...], runtime: str = "none") -> None:
        self.home = board.home
        self.board = board
        self.runtime = runtime
        self.unasked: list[dict] = []
        self.progress: list[tuple[int, float]] = []
        self._number = 0
        self._buffer = b""
        self._stderr = (board.home / f"stderr-{time.monotonic_ns()}.txt").open("w+b")
        self.process = subprocess.Popen(
            [*command, "serve", board.place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def hello(self, **params: object) -> dict:
        return self.call("hello", **{"protocol": 1, "owner": "the tests", **params})

    def raw(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def send(self, method: str, **params: object) -> int:
        self._number += 1
        self.raw(json.dumps({"id": self._number, "method": method, "params": params}).encode() + b"\n")
        return self._number

    def answer(self, number: int | None, patience_s: float = PATIENCE_S) -> dict:
        """Return the result of a request; what else arrives is kept. Raises `Refused`."""
        for kept in self.unasked:
            if kept.get("id") == number:
                self.unasked.remove(kept)
                return self._result(kept)
        deadline = time.monotonic() + patience_s
        while True:
            message = json.loads(self.line(deadline))
            if "progress" in message:
                self.progress.append((message["progress"]["done"], time.monotonic()))
            elif message.get("id") == number:
                return self._result(message)
            else:
                self.unasked.append(message)

    def call(self, method: str, **params: object) -> dict:
        return self.answer(self.send(method, **params))

    def refusal(self, method: str, **params: object) -> Refused:
        """Return the error that a request ends with; an answer is a failure."""
        return self.refusal_of(self.send(method, **params))

    def refusal_of(self, number: int | None) -> Refused:
        try:
            result = self.answer(number)
        except Refused as exc:
            return exc
        raise AssertionError(f"it was not refused: {result}")

    def open(self, model: Path | bytes | str, **params: object) -> dict:
        return self.call("open", **self.opening(model, **params))

    def opening(self, model: Path | bytes | str, **params: object) -> dict:
        sha256 = model if isinstance(model, str) else self.board.model(model)
        usual = {"runtime": self.runtime, "threads": 1, "cpus": None, "input": None, "timeout_s": 30}
        return {**usual, "model": sha256, "memory_limit_bytes": None, **params}

    def time(self, child: int, count: int = 5, **params: object) -> dict:
        return self.call("invoke", child=child, count=count, **{"timeout_s": 30, **params})

    def infer(self, child: int, data: bytes, count: int, **params: object) -> bytes:
        """Return the outputs of samples."""
        usual = {"fresh": False, "timeout_s": 30}
        done = self.call("invoke", child=child, inputs=self.board.inputs(data), count=count, **{**usual, **params})
        return self.board.read(done["file"])

    def next(self) -> dict:
        """Return the next message, whatever it belongs to."""
        return json.loads(self.line(time.monotonic() + PATIENCE_S))

    def line(self, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no line in time; standard error: {self.stderr()}"
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            assert data, f"the agent ended; standard error: {self.stderr()}"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def stderr(self) -> str:
        return Path(self._stderr.name).read_text(errors="replace")

    def processes(self) -> set[tuple[int, int]]:
        """Return the agent's descendants, each by its id and start time: an id alone may be another's by now."""
        found, parents = set(), {self.pid}
        table = {int(path.name): path for path in Path("/proc").iterdir() if path.name.isdigit()}
        stats = {pid: stat(path) for pid, path in table.items()}
        while True:
            more = {pid for pid, said in stats.items() if said and said[0] in parents and pid not in parents}
            if not more:
                return found
            parents |= more
            found |= {(pid, stats[pid][1]) for pid in more}

    def end(self) -> int:
        """Close its standard input and return its exit status."""
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return status

    def dispose(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._stderr):
            stream.close()

    @staticmethod
    def _result(message: dict) -> dict:
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]


def stat(folder: Path) -> tuple[int, int] | None:
    """Return a process's parent and start time, or `None` for one that is gone or only waits to be reaped."""
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[1]), int(fields[19]))


def alive(process: tuple[int, int]) -> bool:
    said = stat(Path(f"/proc/{process[0]}"))
    return said is not None and said[1] == process[1]


def wait_until(true: object, patience_s: float = PATIENCE_S) -> bool:
    deadline = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
