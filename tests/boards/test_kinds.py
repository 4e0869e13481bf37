"""What virtual boards are, seen through the command line and as root on them."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing

import psutil
import pytest
import serial

from edgeprof import lab, resources
from edgeprof.errors import UsageError
from edgeprof.remote.native import native_agent
from edgeprof.transport import connect
from edgeprof.transport.files import push, run

SHORT = ("-k", "2", "--runs", "20", "--json")


def on(board, command: str, user: str = "root") -> str:
    login = ("-i", str(board.identity), "-p", str(board.ssh_port), "-o", "StrictHostKeyChecking=no")
    quiet = ("-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes")
    done = subprocess.run(
        ["ssh", *login, *quiet, f"{user}@127.0.0.1", command], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_a_board_knows_the_time_though_its_snapshot_is_old(boot):
    board = boot("cortex-a72")

    says = int(on(board, "date +%s"))

    assert abs(says - time.time()) < 30


def test_boards_run_beside_one_another_and_share_nothing(boot):
    first, second = boot("cortex-a72"), boot("cortex-a72")

    on(first, "echo mine > /home/edge/note; sync")

    assert first.ssh_port != second.ssh_port
    assert on(second, "ls /home/edge") == ""


def test_a_board_reaches_nothing_outside(boot):
    board = boot("cortex-a72")

    reached = on(board, "busybox timeout 3 busybox nc 10.0.2.2 22 </dev/null && echo reached || echo nothing")

    assert reached.strip() == "nothing"


@pytest.mark.parametrize(("cpu", "dot_product"), [("cortex-a53", False), ("cortex-a72", False), ("cortex-a76", True)])
def test_generic_boards_differ_in_what_their_processor_can(boot, cpu, dot_product):
    board = boot(cpu)

    features = on(board, "grep -m1 Features /proc/cpuinfo").split()

    assert ("asimddp" in features) == dot_product


def test_the_jetson_look_alike_has_its_rails_by_name_and_says_that_they_are_invented(add_standing, cli):
    board = add_standing("jetson-nano-look-alike")

    shown = cli("device", "probe", "board")
    probed = cli("device", "probe", "board", "--json").json()["items"][0]
    probe = probed["probe"]

    sensor = next(item for item in probe["power_sensors"] if item["driver"] == "ina3221")
    assert probe["model"] == "NVIDIA Jetson Nano Developer Kit"
    assert probed["looks_like"] == "jetson-nano"
    assert [rail["label"] for rail in sensor["rails"]] == ["POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"]
    assert [zone["type"] for zone in probe["thermal_zones"]] == ["CPU-therm"]
    assert probe["lab"]["invented"] == ["power", "temperature"]
    assert shown.out.count("INVENTED: a virtual board") == 2
    milliamperes = int(on(board, f"cat {sensor['path']}/curr1_input", user="edge"))
    assert 300 < milliamperes < 3000


def test_power_is_read_from_the_rail_that_feeds_the_board(add_standing, cli):
    """A loaded host may starve an emulated board's sampler: then there is a reason in the figure's place."""
    add_standing("jetson-nano-look-alike")
    model = resources.folder("device_agents") / "selftest.tflite"

    item = cli("profile", model, "-d", "board", *SHORT).json()["items"][0]
    trace = cli("run", "show", item["run_id"], "--json").json()["items"][0]["power"]

    assert (trace["rail"], trace["covers"]) == ("POM_5V_IN (ina3221)", "board")
    assert len(trace["readings"]) > 50
    assert all(2_000_000 < reading < 9_000_000 for reading in trace["readings"])
    whole = next(metric for metric in item["metrics"] if metric["name"] == "energy_per_inference_uj")
    if whole["not_measured"] is None:
        seconds = (trace["run_ns"][1] - trace["run_ns"][0]) / 1e9
        assert 2.4e6 < whole["point"] * trace["runs"] / seconds < 6e6
        assert whole["low"] < whole["point"] < whole["high"]
    else:
        assert "energy_not_measured" in [warning["code"] for warning in item["warnings"]]


def test_a_launch_waits_for_a_cool_board_and_goes_on_when_the_wait_is_over(add_standing, cli):
    add_standing("jetson-nano-look-alike")
    model = resources.folder("device_agents") / "selftest.tflite"

    run = cli("profile", model, "-d", "board", "--max-temp", "1", "--wait", "1", *SHORT, "--no-energy")

    item = run.json()["items"][0]
    assert next(w["text"] for w in item["warnings"] if w["code"] == "gate_timeout").endswith("above 1 °C")
    assert all(state["temp_mc"] > 1000 for state in item["states"])


def test_ina219_and_ina226_read_what_the_made_up_law_says(standing):
    board = standing("sensors")

    on(board, "echo 4 0 5 > /run/edgeprof-power")  # 4 W whatever runs, from 5 V

    for chip in ("ina219", "ina226"):
        assert settled(board, chip) == pytest.approx(4_000_000, rel=0.01)


def settled(board, chip: str) -> int:
    """Return the µW that a chip reads once the made-up law has reached it: a starved board takes its time."""
    read = f"for d in /sys/class/hwmon/*; do if grep -q {chip} $d/name; then cat $d/power1_input; fi; done"
    for _ in range(60):
        microwatts = int(on(board, read))
        if abs(microwatts / 4_000_000 - 1) < 0.01:
            break
        time.sleep(0.5)
    return microwatts


def test_rails_of_which_none_feeds_the_others_are_not_added_up(add_standing, cli):
    add_standing("sensors")
    model = resources.folder("device_agents") / "selftest.tflite"

    item = cli("profile", model, "-d", "board", *SHORT).json()["items"][0]

    whole = next(metric for metric in item["metrics"] if metric["name"] == "energy_per_inference_uj")
    said = next(warning["text"] for warning in item["warnings"] if warning["code"] == "energy_not_measured")
    assert (whole["point"], whole["not_measured"]) == (None, "several_rails")
    assert "`ina219`" in said
    assert "`ina226`" in said


def test_the_serial_only_board_lets_in_at_its_console_and_nowhere_else(boot):
    board = boot("serial-only")

    with serial.serial_for_url(board.serial_url, timeout=30) as console:
        console.write(b"\n")
        console.read_until(b"login: ")
        console.write(lab.USER.encode() + b"\n")
        console.read_until(b"Password: ")
        console.write(lab.PASSWORD.encode() + b"\n")
        console.read_until(b"$ ")
        console.write(b"uname -m; ls /sys/class/net\n")
        console.read_until(b"aarch64")
        said = console.read_until(b"$ ")

    assert board.ssh_port is None
    assert said.split()[:1] == [b"lo"]


def test_only_generic_boards_count_instructions(lab_here, tmp_path):
    with (
        pytest.raises(UsageError, match="`raspberry-pi-3` cannot count instructions"),
        lab.running(lab.find_kind("raspberry-pi-3"), tmp_path / "board", print, clock="instructions"),
    ):
        pass


def test_a_board_dies_with_the_process_that_started_it_however_that_ends(boot, lab_here, tmp_path):
    boot("cortex-a72")  # its snapshot is there now
    program = (
        "import pathlib, sys, time\nfrom edgeprof import lab\n"
        f"with lab.running(lab.find_kind('cortex-a72'), pathlib.Path({str(tmp_path / 'dies')!r}), print) as board:\n"
        "    print(board.pid, flush=True); time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ)
    pid = int(process.stdout.readline())
    qemu = psutil.Process(pid)

    process.kill()
    process.wait()
    process.stdout.close()

    psutil.wait_procs([qemu], timeout=30)
    assert not psutil.pid_exists(pid) or qemu.status() == psutil.STATUS_ZOMBIE


def test_the_native_agent_starts_on_32_bit_arm(boot, lab_here, tmp_path):
    """There is no LiteRT for it to load there: it says what it is, and speaks."""
    board = boot("armv7")
    device = board.device("board")
    program = native_agent("armv7l", print)
    transport = connect(device.url, host_key=board.host_key, identity=str(board.identity))
    with closing(transport):
        push(transport, program, "/home/edge/agent")
        about = run(transport, ("sh", "-c", "chmod 755 agent && ./agent about"), 60)
        asked = b'{"id": 1, "method": "hello", "params": {"protocol": 1, "owner": "the tests"}}\n'
        spoken = run(transport, ("./agent", "serve", "/home/edge/.edgeprof"), 60, asked)

    assert b"pointer_bits=32\nlibc=glibc\nlibc_version=2.36" in about.stdout
    assert json.loads(spoken.stdout)["result"]["agent"] == "native-1"
    assert spoken.returncode == 0
