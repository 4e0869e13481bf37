"""A matrix that was cut short goes on where it stopped; a project file says what the matrix is."""

from edgeprof import resources

MODEL = resources.folder("device_agents") / "selftest.tflite"


def test_a_board_that_failed_is_measured_later_and_the_rest_is_taken_from_before(cli, board):
    (cli.folder / "edgeprof.toml").write_text(
        f'models = ["{MODEL}"]\ndevices = ["local", "board"]\nlaunches = 2\nrecipes = ["int8"]\n'
    )
    options = ("--runs", "40", "--no-energy", "--json")
    board.install("mkdir", "echo out of order >&2; exit 1")

    first = cli("profile", *options)
    board.link("mkdir")
    second = cli("profile", *options, "--resume")
    third = cli("profile", *options, "--resume", "-d", "local", "--launches", "3")

    assert first.code == 1
    (done,) = first.json()["items"]
    assert second.code == 0, second.err
    document = second.json()
    assert document["taken"] == [done["run_id"]]
    assert [(item["device"], item["session"]) for item in document["items"]] == [
        ("local", done["session"]),
        ("board", done["session"]),
    ]
    assert "local: connecting" not in second.err
    # Another plan is another cell.
    assert "taken" not in third.json()
    assert "nothing to go on with" in third.err


def test_a_key_that_no_project_has_is_refused_with_the_nearest(cli):
    (cli.folder / "edgeprof.toml").write_text('modles = ["a.tflite"]\n')

    done = cli("run", "list")

    assert done.code == 2
    assert "error: unknown key in edgeprof.toml: `modles`" in done.err
    assert "hint: did you mean `models`? known keys: models, " in done.err


def test_a_value_of_the_wrong_kind_is_refused(cli):
    (cli.folder / "edgeprof.toml").write_text('threads = ["two"]\n')

    done = cli("run", "list")

    assert done.code == 2
    assert "error: `threads` in edgeprof.toml is `['two']`\n\nhint: write a list, each a whole number" in done.err
