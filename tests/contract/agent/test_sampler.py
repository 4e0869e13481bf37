"""The sampler: a steady record of the board beside the runs."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.contract.agent.client import Agent, wait_until


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_samples_come_until_they_are_stopped(agent: Agent):
    started = agent.call("sampler_start", hz=100, cpus=None)
    path = agent.home / "launches" / started["launch"] / "samples.jsonl"
    assert wait_until(lambda: path.exists() and path.read_text().count("\n") >= 5)

    stopped = agent.call("sampler_stop", sampler=started["sampler"])

    written = lines(agent.home / stopped["file"])
    assert stopped["count"] == len(written) >= 5
    assert stopped["size_bytes"] == path.stat().st_size
    assert stopped["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(
        set(line) == {"monotonic_ns", "temp_mc", "freq_khz", "busy_ratio", "throttled", "cpu_ns"} for line in written
    )
    times = [line["monotonic_ns"] for line in written]
    assert times == sorted(set(times))
    assert all(line["busy_ratio"] is None or 0 <= line["busy_ratio"] <= 1 for line in written)
    assert agent.processes() == set()
    assert agent.refusal("sampler_stop", sampler=started["sampler"]).code == "no_such_child"


def test_a_sampler_keeps_to_its_core(agent: Agent):
    agent.call("sampler_start", hz=10, cpus=[0])
    ((pid, _),) = agent.processes()

    allowed = os.sched_getaffinity(pid)

    assert allowed == {0}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core only")
def test_a_sampler_stays_away_from_the_childrens_cores(agent: Agent, selftest: Path):
    agent.open(selftest, cpus=[min(os.sched_getaffinity(0))])
    ((child, _),) = agent.processes()
    agent.call("sampler_start", hz=10, cpus=None)
    ((pid, _),) = [process for process in agent.processes() if process[0] != child]

    allowed = os.sched_getaffinity(pid)

    assert allowed == os.sched_getaffinity(0) - {min(os.sched_getaffinity(0))}


def test_a_sampler_on_a_core_that_is_not_there_is_a_bad_request(agent: Agent):
    refused = agent.refusal("sampler_start", hz=10, cpus=[4095])

    assert refused.code == "bad_request"
    assert "4095" in refused.message
    assert agent.processes() == set()
    assert list((agent.home / "launches").iterdir()) == []


def test_a_sampler_that_is_stopped_at_once_leaves_a_file(agent: Agent):
    for _ in range(5):
        started = agent.call("sampler_start", hz=1, cpus=None)

        stopped = agent.call("sampler_stop", sampler=started["sampler"])

        assert stopped["count"] == len(lines(agent.home / stopped["file"])) >= 1
