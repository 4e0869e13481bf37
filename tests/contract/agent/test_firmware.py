"""What only a board's own program says. In its place stands one that repeats what a real board said."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprof.boards import parse_facts
from edgeprof.power import choose, microwatts
from tests.contract.agent.client import Agent, Board, wait_until
from tests.contract.agent.conftest import PYTHONS, needed_python
from tests.recorded import recorded


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a program on the agent's PATH that answers some questions, and refuses all others."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def put(program: str, **answers: str) -> Path:
        path = folder / program
        cases = "".join(f"{asked}) cat <<'SAID'\n{text}SAID\n;;\n" for asked, text in answers.items())
        path.write_text(f'#!/bin/sh\ncase "${{1#-}}" in\n{cases}*) echo "error=1"; exit 1;;\nesac\n')
        path.chmod(0o755)
        return path

    return put


@pytest.fixture
def asked(tmp_path: Path, start_python: Callable[..., Agent]) -> Callable[..., Agent]:
    """Start and greet an agent that has no runtime."""

    def begin(python: str = sys.executable) -> Agent:
        agent = start_python(Board(tmp_path / "home"), python)
        agent.hello()
        return agent

    return begin


def pi5(say: Callable[..., Path], throttled: str = "throttled=0x0\n") -> Path:
    return say("vcgencmd", pmic_read_adc=recorded("pi5-pmic_read_adc.txt"), get_throttled=throttled)


@pytest.mark.parametrize("version", [PYTHONS[0], PYTHONS[-1]])
def test_a_pi5s_pmic_is_one_sensor_of_all_rails_that_tell_both_current_and_voltage(say, asked, version):
    path = needed_python(version)
    pi5(say)

    sensor = asked(path).call("probe")["power_sensors"][-1]

    assert (sensor["driver"], sensor["readable"]) == ("pmic", True)
    assert [rail["kind"] for rail in sensor["rails"]] == ["pmic"]
    assert len(sensor["rails"][0]["files"]) == 12
    assert not {"EXT5V", "BATT"} & set(sensor["rails"][0]["files"])


def test_its_rails_are_paired_by_name_and_summed_to_what_the_recording_comes_to(say, asked):
    pi5(say)
    agent = asked()
    supply = choose(parse_facts(agent.call("probe")).power_sensors, "pmic")

    started = agent.call("sampler_start", hz=50, cpus=None, rail=supply.index)
    path = agent.home / "launches" / started["launch"] / "samples.jsonl"
    assert wait_until(lambda: path.exists() and path.read_text().count("\n") >= 3)
    agent.call("sampler_stop", sampler=started["sampler"])

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    by_hand = 0.06245952 * 3.306322 + 0.1610285 * 1.798289 + 0.00780744 * 1.102929 + 0.1756674 * 1.104394
    by_hand += 0.3279125 * 0.8025633 + 10.87674 * 0.8974594 + 0.0003663 * 3.304942 + 0.00042735 * 3.302194
    by_hand += 0.00579975 * 0.7973619 + 0.0136752 * 5.07056
    assert supply.covers == "part"
    assert microwatts("pmic", lines[0]["values"]) == pytest.approx(1e6 * by_hand, abs=20)
    assert lines[-1]["cpu_ns"] > lines[0]["cpu_ns"]


def test_a_rail_that_falls_silent_is_no_reading_instead_of_a_smaller_sum(say, asked):
    program = pi5(say)
    agent = asked()
    supply = choose(parse_facts(agent.call("probe")).power_sensors, "pmic")
    started = agent.call("sampler_start", hz=50, cpus=None, rail=supply.index)
    path = agent.home / "launches" / started["launch"] / "samples.jsonl"
    assert wait_until(lambda: path.exists() and path.read_text().count("\n") >= 1)

    silent = program.with_name("silent")
    silent.write_text(program.read_text().replace("VDD_CORE_A", "VDD_OTHER_A"))
    silent.chmod(0o755)
    silent.rename(program)

    assert wait_until(lambda: "null" in path.read_text())
    agent.call("sampler_stop", sampler=started["sampler"])
    readings = [microwatts("pmic", json.loads(line)["values"]) for line in path.read_text().splitlines()]
    assert readings[0] > 9_000_000
    assert readings[-1] is None


def test_throttling_is_asked_once_a_second_and_told_with_the_samples(say, asked):
    _, held = recorded("pi-get_throttled.txt").splitlines(keepends=True)
    pi5(say, held)
    agent = asked()

    started = agent.call("sampler_start", hz=50, cpus=None)
    path = agent.home / "launches" / started["launch"] / "samples.jsonl"
    assert wait_until(lambda: path.exists() and path.read_text().count("\n") >= 10)
    agent.call("sampler_stop", sampler=started["sampler"])

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = [line for line in lines if line["throttled"] is not None]
    assert agent.call("probe")["throttled"] == 0x50005
    assert told[0]["throttled"] == 0x50005
    assert len(told) <= 1 + (lines[-1]["monotonic_ns"] - lines[0]["monotonic_ns"]) // 1_000_000_000


def test_a_jetsons_power_mode_is_its_name(say, asked):
    say("nvpmodel", q=recorded("jetson-nvpmodel-q.txt"))

    assert asked().call("probe")["power_mode"] == "MAXN"


def test_without_root_a_jetson_complains_and_says_its_power_mode_all_the_same(say, asked):
    program = say("nvpmodel", q=recorded("jetson-nvpmodel-q-no-root.txt"))
    program.write_text(program.read_text().replace(";;\n*)", "exit 255;;\n*)"))

    assert asked().call("probe")["power_mode"] == "5W"


def test_throttling_is_told_beside_a_rail_too_once_a_second(say, asked):
    _, held = recorded("pi-get_throttled.txt").splitlines(keepends=True)
    pi5(say, held)
    agent = asked()
    supply = choose(parse_facts(agent.call("probe")).power_sensors, "pmic")

    started = agent.call("sampler_start", hz=50, cpus=None, rail=supply.index)
    path = agent.home / "launches" / started["launch"] / "samples.jsonl"
    assert wait_until(lambda: path.exists() and path.read_text().count("\n") >= 5)
    agent.call("sampler_stop", sampler=started["sampler"])

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = [line["throttled"] for line in lines if "throttled" in line]
    assert set(told) == {0x50005}
    assert len(told) <= 2 + (lines[-1]["monotonic_ns"] - lines[0]["monotonic_ns"]) // 1_000_000_000


@pytest.mark.parametrize("broken", ["", "exit 1", "exec sleep 60", "echo VDD_CORE_A; echo throttled=0x"])
def test_a_program_that_is_not_there_fails_hangs_or_babbles_tells_nothing(say, asked, broken):
    if broken:
        say("vcgencmd").write_text(f"#!/bin/sh\n{broken}\n")

    probe = asked().call("probe")

    assert (probe["throttled"], probe["power_mode"]) == (None, None)
    assert "pmic" not in [sensor["driver"] for sensor in probe["power_sensors"]]
