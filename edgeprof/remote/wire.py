"""JSON lines over a channel: one request, its progress, its answer. The format is docs/agent-protocol.md."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from edgeprof.errors import ChildError, DeviceError, LinkLost
from edgeprof.transport import Channel
from edgeprof.transport.patience import ANSWER_VARIABLE

PROTOCOL = 1
_MAX_LINE_BYTES = 1 << 20
_NOISE_BYTES = 2048

Progress = Callable[[int, int], None]


class Wire:
    """The host's end of one agent's channel."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name
        self._buffer = bytearray()
        self._next_id = 1

    def call(
        self, method: str, params: Mapping[str, object], timeout_s: float, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Send one request and return its result.

        Raises:
            ChildError: The agent says that a child died, was refused or ran too long.
            DeviceError: The agent says no for another reason.
            LinkLost: The way is gone, the agent ended, or nothing came within `timeout_s`.
        """
        number = self._next_id
        self._next_id += 1
        line = json.dumps({"id": number, "method": method, "params": dict(params)}) + "\n"
        try:
            self._channel.write(line.encode())
        except BrokenPipeError as exc:
            raise self._ended() from exc
        return self._answer(number, method, time.monotonic() + timeout_s, progress)

    def close(self) -> None:
        """End the agent: its standard input closes. Never raises."""
        self._channel.close()

    def _answer(self, number: int, method: str, deadline: float, progress: Progress | None) -> dict[str, Any]:
        while True:
            message = self._message(method, deadline)
            if message.get("id") != number:
                continue  # the end of a request that was given up
            if "progress" in message:
                if progress:
                    progress(message["progress"]["done"], message["progress"]["total"])
                continue
            if "error" in message:
                raise _as_error(self._name, message["error"])
            result: dict[str, Any] = message["result"]
            return result

    def _message(self, method: str, deadline: float) -> dict[str, Any]:
        line = self._line(method, deadline)
        try:
            message = json.loads(line)
        except ValueError as exc:
            raise DeviceError(f"the agent on `{self._name}` answered with something else: {line[:200]!r}") from exc
        if not isinstance(message, dict):
            raise DeviceError(f"the agent on `{self._name}` answered with something else: {line[:200]!r}")
        return message

    def _line(self, method: str, deadline: float) -> bytes:
        while True:
            end = self._buffer.find(b"\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return line
            if len(self._buffer) > _MAX_LINE_BYTES:
                raise DeviceError(f"the agent on `{self._name}` sent a line without an end")
            self._buffer += self._chunk(method, deadline)

    def _chunk(self, method: str, deadline: float) -> bytes:
        try:
            chunk = self._channel.read(max(0.001, deadline - time.monotonic()))
        except TimeoutError as exc:
            hint = f"is it busy? `uptime` there tells; `{ANSWER_VARIABLE}=60` waits longer"
            raise LinkLost(f"`{self._name}` did not answer `{method}` in time", hint) from exc
        if not chunk:
            raise self._ended()
        return chunk

    def _ended(self) -> LinkLost:
        try:
            status, noise = self._channel.wait(2.0)
        except (TimeoutError, LinkLost):
            return LinkLost(f"the agent on `{self._name}` ended without a word")
        words = noise[-_NOISE_BYTES:].decode(errors="replace").strip()
        last = words.splitlines()[-1] if words else "it printed nothing"
        return LinkLost(f"the agent on `{self._name}` ended with status {status}: {last}")


def _as_error(name: str, error: Mapping[str, Any]) -> DeviceError:
    code, message = str(error.get("code")), str(error.get("message"))
    data = error.get("data") or {}
    if code == "busy":
        return _busy(name, data)
    if code == "disk_full":
        return DeviceError(f"`{name}` has no room left: {message}", "make room, or give another folder with `--home`")
    hint = next((text for words, text in _SPECIAL_HINTS.items() if words in message), _HINTS.get(code))
    noise = str(data.get("stderr") or "").strip().splitlines()
    tail = [line for line in noise if not line.startswith("INFO")]
    said = f" (it said: {tail[-1]})" if tail and tail[-1] not in message else ""
    return ChildError(f"on `{name}`: {message}{said}", hint, code=code, signal=data.get("signal"), pid=data.get("pid"))


def _busy(name: str, data: Mapping[str, Any]) -> DeviceError:
    since = data.get("since_unix_s")
    clock = "" if since is None else f" since {time.strftime('%H:%M:%S', time.localtime(float(since)))}"
    return DeviceError(
        f"`{name}` is in use by {data.get('owner') or 'another host'}{clock}",
        "two measurements at once would spoil each other: wait until it is done",
    )


# Words of a runtime whose cause is known for certain.
_SPECIAL_HINTS = {
    # LiteRT 2.3.0, of models whose LSTM or SVDF keeps its state in a variable tensor
    "Variable tensors not yet supported": (
        "LiteRT does not run models that keep such state: `--runtime tflite-runtime` does"
    ),
    # tflite-runtime 2.14.0 on 32-bit boards, which bring their own numpy
    "No module named 'numpy'": "`sudo apt install python3-numpy` on the board; it must be 1.23 to 1.26",
}

_HINTS = {
    "model_refused": "the runtime on the board cannot run this model: the line above names the operator or the fault",
    "runtime_failed": "`edgeprof device setup NAME --runtime litert|tflite-runtime` tries the other runtime",
    "child_crashed": "the runtime aborted its process, not edgeprof's: try another `--runtime`, or fewer `--threads`",
    "child_timeout": "give it more time with `--timeout SECONDS`",
    "child_out_of_memory": "the model does not fit into the board's free memory: close programs there, or compress it",
}
