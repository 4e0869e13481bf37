"""The command line around all commands: what typer refuses, and streams that are closed."""

import subprocess


def test_a_wrong_option_is_an_error_with_a_hint_like_any_other(cli):
    done = cli("profile", "model.tflite", "--recip", "int8")

    assert (done.code, done.out) == (2, "")
    assert (
        done.err
        == "error: unknown option: `--recip`\n\nhint: did you mean `--recipe`? `edgeprof profile -h` shows all\n"
    )


def test_closed_streams_lead_nowhere(cli):
    command = ["sh", "-c", '"$@" >&- 2>&- <&- && "$@" 2>&-', "sh", *cli.command("run", "list")]

    done = subprocess.run(command, env=cli.env, cwd=cli.folder, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("no runs are stored") == 1
