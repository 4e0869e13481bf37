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


def test_calibration_samples_are_chosen_alike_by_every_command_and_by_the_project_file(cli, example):
    (cli.folder / "edgeprof.toml").write_text(f'calibration = "{example}/calibration.npz"\ncalibration_samples = 301\n')
    (cli.folder / "release.toml").write_text(
        f'[[artifact]]\nfile = "{example}/fashion_cnn.keras"\nrecipe = "int8"\n'
        f'calibration = "{example}/calibration.npz"\ncalibration_samples = 301\n'
        '[[budget]]\ndevice = "local"\nsize = "1 MiB"\n'
    )
    model = example / "fashion_cnn.keras"
    pair = ("-r", "int8", "-r", "fp32")

    for command in (
        ("compress", model, *pair),
        ("profile", model, *pair),
        ("ab", model, *pair),
        ("validate", "release.toml"),
    ):
        done = cli(*command)

        assert done.code == 2, command
        assert f"error: 301 calibration samples were asked for, and `{example}/calibration.npz` has " in done.err
    assert "unknown choice of calibration samples: `evn`" in cli("ab", model, *pair, "--calibration-choice", "evn").err
