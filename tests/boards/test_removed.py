"""Sensors of a virtual board, with the kernel's own drivers, taken away one after the other: not measured, and why."""

import re

from edgeprof import resources
from tests.boards.test_kinds import on

MODEL = resources.folder("device_agents") / "selftest.tflite"
ENERGY = "energy_per_inference_uj"
RAILS = "/sys/class/hwmon/hwmon*/in[123]_input /sys/class/hwmon/hwmon*/curr[123]_input"
UNBIND = "for d in /sys/bus/i2c/drivers/{0}/*-00*; do basename $d > /sys/bus/i2c/drivers/{0}/unbind; done"
# What is done to the board; and what is then not measured with its reason, as people and programs read it.
STEPS = (
    (f"chmod o-r,g-r {RAILS}", {"energy, power": "permission denied"}),
    (
        f"{UNBIND.format('ina3221')}; {UNBIND.format('tmp102')}",
        {"energy, power": "no power sensor", "temperature": "no thermal zone|sensor failed"},
    ),
)


def test_each_sensor_and_right_taken_away_leaves_its_reason(add, cli, tmp_path):
    board = add("jetson-nano-look-alike")

    for number, (command, gone) in enumerate(STEPS):
        on(board, command)
        done = cli("profile", MODEL, "-d", "board", "-k", "1", "--runs", "10")
        run_id = cli("run", "list", "--json").json()["items"][0]["run_id"]
        item = cli("run", "show", run_id, "--json").json()["items"][0]
        page = tmp_path / f"{number}.html"
        cli("report", run_id, "-o", page)

        assert done.code == 0, done.err
        figure = next(metric for metric in item["metrics"] if metric["name"] == ENERGY)
        assert figure["point"] is None
        for what, reason in gone.items():
            assert re.search(rf"not measured: .*{what}[^();]*\(({reason})\)", " ".join(done.out.split())), done.out
            assert re.search(reason.replace(" ", "_"), " ".join(one["reason"] for one in item["not_measured"]))
            assert re.search(reason, page.read_text())
