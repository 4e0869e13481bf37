"""The main job on a phone by `adb`: mksh and toybox for a userland, and this machine's kernel, glibc and LiteRT."""

import hashlib
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from edgeprof import resources
from edgeprof.devices import Device
from edgeprof.errors import DeviceError, MeasurementError
from edgeprof.remote import SetupOptions
from edgeprof.remote.vendor import VendorRun, connect_vendor
from tests import phones, vendor_benchmark
from tests.recorded import recorded

QUICK = ("--launches", "2", "--runs", "10")


@pytest.fixture
def phone(tmp_path, cli):
    """A phone, and a command line that sees it."""
    if phones.missing():
        pytest.skip(f"no phones here: {phones.missing()}")
    env = phones.server_environment()
    cli.env.update(env)
    plugged = phones.start_phone(phones.userland(tmp_path / "phone"))
    yield plugged
    plugged.unplug()
    phones.end_server(env)


@pytest.fixture
def model() -> Path:
    return resources.folder("device_agents") / "selftest.tflite"


@pytest.fixture
def added(phone, cli, tmp_path):
    assert cli("device", "add", "phone", phone.url, "--home", tmp_path / "data").code == 0
    return phone


def test_the_main_job_works_on_a_phone(added, cli, model):
    setup = cli("device", "setup", "phone", "--json")
    probe = cli("device", "probe", "phone")
    run = cli("profile", model, "-d", "phone", *QUICK, "--json")

    assert setup.code == 0, setup.err
    assert setup.json()["items"][0]["python"] is None
    assert run.code == 0, run.err
    item = run.json()["items"][0]
    points = {(m["name"], m["statistic"]): m["point"] for m in item["metrics"]}
    assert item["status"] == "complete"
    assert points["latency_ns", "median"] > 0
    assert points["peak_rss_bytes", "median"] > 1_000_000
    assert item["environment"]["model"] == "Example Test Phone"
    assert item["environment"]["soc"] == "Example Silicon ES1234"
    assert (item["environment"]["thermal_status_before"], item["environment"]["battery_percent_after"]) == ("0", "87")
    assert "Android 14" in probe.out
    assert "87 %, on the charger" in probe.out


def test_a_phone_that_is_unplugged_while_it_measures_loses_no_finished_launch(added, cli, model):
    assert cli("device", "setup", "phone").code == 0
    devices = ("-d", "local", "-d", "phone")
    asked = ("profile", model, *devices, "--launches", "12", "--runs", "10", "--no-energy", "--reconnect", "1")
    process = cli.start(*asked)
    for line in process.stderr:
        if line.startswith("phone: ") and "provisional" in line:
            break
    added.unplug()

    _, err = process.communicate(timeout=240)
    before = {run["device"]: run for run in cli("run", "list", "--json").json()["items"]}
    nobody = _until(lambda: not _on(added))
    again = phones.start_phone(added.programs, port=added.port)
    try:
        resumed = cli(*asked, "--resume", "--json")
    finally:
        again.unplug()
    after = {run["run_id"]: run["n_launches"] for run in cli("run", "list", "--json").json()["items"]}

    assert process.returncode == 1
    assert "Traceback" not in err
    assert added.serial in err
    assert {device: run["status"] for device, run in before.items()} == {"local": "complete", "phone": "interrupted"}
    assert 1 <= before["phone"]["n_launches"] < 12
    assert after[before["phone"]["run_id"]] == before["phone"]["n_launches"]
    assert nobody, _on(added)
    assert resumed.code == 0, resumed.err
    document = resumed.json()
    assert document["taken"] == [before["local"]["run_id"]]
    assert [after[item["run_id"]] for item in document["items"]] == [12, 12]
    assert [(item["device"], item["status"]) for item in document["items"]] == [
        ("local", "complete"),
        ("phone", "complete"),
    ]
    assert len({item["session"] for item in document["items"]}) == 1
    assert "local: connecting" not in resumed.err


def test_a_phone_that_another_host_measures_is_refused_and_is_free_once_that_host_is_killed(added, cli, model):
    asked = ("profile", model, "-d", "phone", "--launches", "3", "--runs", "10", "--no-energy")
    other = type(cli)({**cli.env, "EDGEPROF_STORE": str(cli.folder / "other.db")}, cli.folder)
    process = cli.start(*asked)
    for line in process.stderr:
        if "provisional" in line:
            break
    process.send_signal(signal.SIGSTOP)  # it lives, and holds the phone

    refused = other(*asked)
    process.kill()
    process.communicate(timeout=60)
    nobody = _until(lambda: not _on(added))
    (kept,) = cli("run", "list", "--json").json()["items"]
    resumed = cli(*asked, "--resume", "--json")

    assert refused.code == 1
    assert "error: `phone` is in use by " in refused.err
    assert "hint: two measurements at once would spoil each other: wait until it is done" in refused.err
    assert nobody, _on(added)
    assert (kept["status"], 1 <= kept["n_launches"] < 3) == ("interrupted", True)
    assert resumed.code == 0, resumed.err
    assert [item["status"] for item in resumed.json()["items"]] == ["complete"]
    after = {run["run_id"]: run["n_launches"] for run in cli("run", "list", "--json").json()["items"]}
    assert sorted(after.values()) == [kept["n_launches"], 3]
    assert _until(lambda: not _on(added)), _on(added)


def _on(phone: phones.Phone) -> list[list[str]]:
    """Return what runs on a phone: its programs alone have nothing but its own folder as PATH."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("PATH") == str(phone.programs) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.cmdline())
    return found


def _until(holds: Callable[[], bool], seconds: float = 120) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.2)
    return holds()


def test_a_phone_that_is_not_there_is_said_so(cli, phone):
    cli("device", "add", "other", "adb:NOSUCH")

    done = cli("device", "probe", "other")

    assert done.code == 1
    assert "error: `adb` knows no phone `NOSUCH`" in done.err
    assert "hint: " in done.err


def test_a_process_that_the_low_memory_killer_ended_is_told_with_the_killer_s_own_line(added, cli, model, tmp_path):
    """The line is a recorded one (tests/data/recorded/android-lmkd.txt) with this process's number; the kill is ours."""
    process = cli.start("profile", model, "-d", "phone", "--launches", "8", "--no-energy")
    for line in process.stderr:
        if "provisional" in line:
            break
    child = _child_of(tmp_path / "data")
    killed = recorded("android-lmkd.txt").splitlines()[0].replace("(18624)", f"({child.pid})").partition(" I ")[2]
    added.say("logcat", f"{time.time():.3f}   710   710 I {killed}\n")
    os.kill(child.pid, signal.SIGKILL)

    _, err = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "Android's low-memory killer (lmkd) ended it (`lowmemorykiller: Kill 'com.android.vending'" in err
    assert "free memory" in err


def _child_of(home: Path) -> psutil.Process:
    """Return the native agent's child that has a model of that folder open."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if words[:2] == ["edgeprof-native", "child"] and any(str(home) in word for word in words):
                return process
        time.sleep(0.2)
    raise AssertionError("no child runs")


@pytest.fixture
def by_vendor(added, cli, model, tmp_path):
    """A function that profiles by the tests' own `benchmark_model`, on a phone where our agent finds no runtime."""
    pytest.importorskip("google.protobuf")

    def run(mood: str = "whole", *more: object):
        program = vendor_benchmark.program(tmp_path, mood)
        asked = ("--runtime", "tflite-runtime", "--benchmark-model", program)  # no Python there: nothing can run that
        return cli("profile", model, "-d", "phone", *asked, "--launches", "2", "--runs", "150", *more)

    return run


def test_where_our_agent_cannot_run_a_vendor_s_program_is_read_through_its_result_file(by_vendor, cli):
    done = by_vendor("whole", "--json")

    assert done.code == 0, done.err
    item = done.json()["items"][0]
    figures = {(m["name"], m["statistic"]): m for m in item["metrics"]}
    assert (item["status"], item["origin"]) == ("complete", "benchmark_model")
    assert [launch["runs"] for launch in item["summaries"]] == [150, 150]
    assert figures["latency_ns", "median"]["point"] > 0
    assert figures["latency_ns", "median"]["n_launches"] == 2
    assert figures["latency_ns", "p99"]["not_measured"] == "not_in_foreign_result"
    assert figures["energy_per_inference_uj", "mean"]["point"] is None
    assert {"foreign", "golden_not_checked"} <= {warning["code"] for warning in item["warnings"]}
    assert "for our own agent cannot" in done.err
    shown = cli("run", "show", item["run_id"])
    assert (shown.code, "Traceback" in shown.err) == (0, False)


def test_what_a_vendor_s_program_completed_is_not_measured_again_on_resume(by_vendor, cli):
    first = by_vendor("whole", "--json")
    second = by_vendor("whole", "--threads", "1", "--threads", "2", "--resume", "--json")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    (done,) = first.json()["items"]
    document = second.json()
    assert document["taken"] == [done["run_id"]]
    assert [(item["plan"]["threads"], item["session"]) for item in document["items"]] == [
        (1, done["session"]),
        (2, done["session"]),
    ]
    assert len(cli("run", "list", "--json").json()["items"]) == 2


def test_a_vendor_s_result_that_is_not_whole_is_no_result(phone, model, tmp_path, monkeypatch, cli):
    pytest.importorskip("google.protobuf")
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", cli.env["ANDROID_ADB_SERVER_PORT"])
    complaints = {
        "cut": "result file cannot be read",
        "old": "ended well and left no result file",
        "another": "is about a model of",
        "fails": "ended with status 1: ERROR: Didn't find op for builtin opcode",
        "hangs": "took longer than 1 s",
    }
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    wanted = VendorRun(sha256, model.stat().st_size, 1, None, 5, 5, 0.0, 1, 0.0, 1.0)
    for mood, complaint in complaints.items():
        setup = SetupOptions(benchmark_model=vendor_benchmark.program(tmp_path, mood))
        with connect_vendor(Device("phone", phone.url, home=str(tmp_path / "data")), setup, lambda _: None) as board:
            board.push_model(model, sha256)
            with pytest.raises((DeviceError, MeasurementError), match=complaint):
                board.launch(wanted if mood == "hangs" else replace(wanted, timeout_s=20.0), 0)


def test_after_ctrl_c_a_vendor_s_program_ends_on_the_phone_too(added, cli, model, tmp_path):
    pytest.importorskip("google.protobuf")
    program = vendor_benchmark.program(tmp_path, "hangs")
    asked = ("--runtime", "tflite-runtime", "--benchmark-model", program)
    process = cli.start("profile", model, "-d", "phone", *asked, "--launches", "2")
    child = _running(tmp_path / "data" / "vendor" / "benchmark_model.result.pid")

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    child.wait(60)
    assert cli("run", "list", "--json").json()["items"][0]["status"] == "interrupted"


def _running(path: Path) -> psutil.Process:
    """Return the process whose number a file has by now."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if path.is_file() and path.read_text().strip():
            return psutil.Process(int(path.read_text()))
        time.sleep(0.2)
    raise AssertionError("the program did not start")


def test_what_a_vendor_s_program_cannot_give_is_refused_before_anything_runs(by_vendor):
    done = by_vendor("whole", "--rate", "10")

    assert done.code == 2
    assert "leave --rate out" in done.err


def test_two_phones_are_measured_at_once_and_each_is_itself(added, cli, model, tmp_path):
    other = phones.start_phone(phones.userland(tmp_path / "other"))
    try:
        cli("device", "add", "second", other.url, "--home", tmp_path / "data2")
        other.say("thermalservice", phones.MODERATE)
        done = cli("profile", model, "-d", "phone", "-d", "second", "--launches", "1", "--runs", "5", "--json")
    finally:
        other.unplug()

    assert done.code == 0, done.err
    first, second = done.json()["items"]
    assert [item["states"][0]["thermal_status"] for item in (first, second)] == [0, 2]
    warned = {w["code"]: w["text"] for w in second["warnings"]}
    assert "reached 2 (moderate)" in warned["throttled"]
    assert "throttled" not in {w["code"] for w in first["warnings"]}
