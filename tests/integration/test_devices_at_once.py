"""Several devices in one profile: at once, each for itself, and all of them stop when somebody presses Ctrl-C."""

import signal

from edgeprof import resources
from tests.integration.test_main_job import agents_of, eventually

MODEL = resources.folder("device_agents") / "selftest.tflite"
LONG = ("--launches", "500", "--runs", "500", "--no-energy")


def write_down(cli, name: str, *lines: str) -> None:
    """Add a device by hand: `device add` would want to reach it."""
    file = cli.folder / "home/config/devices.toml"
    file.parent.mkdir(exist_ok=True)
    text = file.read_text() if file.exists() else ""
    file.write_text("\n".join([text, f"[devices.{name}]", *lines, ""]))


def spans(cli, run_ids) -> list[tuple[int, int]]:
    """Return when each run's first launch began and its last one ended."""
    found = []
    for item in cli("run", "export", *run_ids).json()["items"]:
        first, last = item["launches"][0], item["launches"][-1]
        found.append((first["started_unix_ns"], last["started_unix_ns"] + last["wall_time_ns"]))
    return found


def test_a_board_that_fails_leaves_the_others_alone(cli, board):
    write_down(cli, "gone", 'url = "ssh://somebody@127.0.0.1:9"')

    done = cli("profile", MODEL, "-d", "gone", "-d", "local", "-d", "board", "-k", "2", "--runs", "50", "--json")

    assert done.code == 1
    document = done.json()
    assert [(item["device"], item["status"]) for item in document["items"]] == [
        ("local", "complete"),
        ("board", "complete"),
    ]
    assert [failure["device"] for failure in document["failures"]] == ["gone"]
    assert "gone: stopped: " in done.err
    assert "local: done" in done.err


def test_two_names_of_one_board_take_turns(cli):
    write_down(cli, "twin", 'url = "local:"', f'home = "{cli.folder}/twin"')

    done = cli("profile", MODEL, "-d", "local", "-d", "twin", "-k", "2", "--runs", "50", "--json")

    assert done.code == 0, done.err
    (_, end), (other_start, _) = spans(cli, [item["run_id"] for item in done.json()["items"]])
    assert end < other_start


def test_boards_are_measured_at_once_and_ctrl_c_stops_all_and_loses_nothing_finished(cli, board):
    process = cli.start("profile", MODEL, "-d", "local", "-d", "board", *LONG)
    waiting = {"local", "board"}
    while waiting:  # neither of them can be through: 500 launches take minutes
        line = process.stderr.readline()
        assert line, "it ended by itself"
        if "provisional" in line:
            waiting -= {line.partition(":")[0]}

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    rows = cli("run", "list", "--json").json()["items"]
    assert {(row["device"], row["status"]) for row in rows} == {("local", "interrupted"), ("board", "interrupted")}
    assert all(row["n_launches"] >= 1 for row in rows)
    assert eventually(lambda: not agents_of(cli) and not agents_of(cli, str(board.home)))
