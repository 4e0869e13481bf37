"""The main job on a phone by `adb`: mksh and toybox for a userland, and this machine's kernel, glibc and LiteRT."""

from pathlib import Path

import pytest

from edgeprof import resources
from tests import phones

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
    process = cli.start("profile", model, "-d", "phone", "--launches", "8", "--reconnect", "1")
    for line in process.stderr:
        if "provisional" in line:
            break
    added.unplug()

    _, err = process.communicate(timeout=120)
    runs = cli("run", "list", "--json").json()["items"]

    assert process.returncode == 1
    assert "Traceback" not in err
    assert added.serial in err
    assert len(runs) == 1


def test_a_phone_that_is_not_there_is_said_so(cli, phone):
    cli("device", "add", "other", "adb:NOSUCH")

    done = cli("device", "probe", "other")

    assert done.code == 1
    assert "error: `adb` knows no phone `NOSUCH`" in done.err
    assert "hint: " in done.err
