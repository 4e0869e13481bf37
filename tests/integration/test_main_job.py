"""The main job as a user does it: the command line, a real sshd, real runtimes, real models."""

import json
import signal
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from edgeprof.report.document import schema

QUICK = ("--launches", "2", "--runs", "70")


@pytest.fixture
def tflite(cli, example):
    """The example model as an int8 `.tflite`, made by the command line."""
    made = cli(
        "compress", example / "fashion_cnn.keras", "-r", "int8", "--calibration", example / "calibration.npz", "-o", "b"
    )
    assert made.code == 0, made.err
    return cli.folder / "b" / "fashion_cnn-int8.tflite"


@pytest.mark.tensorflow
def test_a_keras_model_gives_latency_memory_and_accuracy_on_a_board_over_ssh(cli, board, example):
    data = ("--calibration", example / "calibration.npz", "--eval", example / "test.npz")

    setup = cli("device", "setup", "board")
    done = cli(
        "profile", example / "fashion_cnn.keras", "-d", "board", "-r", "fp32", "-r", "int8", *data, *QUICK, "--json"
    )

    assert setup.code == 0, setup.err
    assert done.code == 0, done.err
    document = done.json()
    jsonschema.validate(document, schema())
    fp32, int8 = document["items"]
    assert (fp32["artifact"]["recipe"], int8["artifact"]["recipe"]) == ("fp32", "int8")
    for run in (fp32, int8):
        metrics = {(m["name"], m["statistic"]): m for m in run["metrics"]}
        assert run["status"] == "complete"
        assert run["golden"]["passed"]
        assert run["accelerator"] == "cpu"
        assert run["runtime"]["name"] == "litert"
        assert metrics["latency_ns", "median"]["point"] > 0
        assert metrics["latency_ns", "median"]["n_launches"] == 2
        assert metrics["latency_ns", "p99"]["not_measured"] == "too_few_samples"
        assert metrics["peak_rss_bytes", "median"]["point"] > 1_000_000
        assert metrics["top1_ratio", "share"]["point"] == pytest.approx(0.92, abs=0.01)
        assert metrics["top1_ratio", "share"]["n_samples"] == len(np.load(example / "test.npz")["y"])
        facts = run["facts"]
        assert 0 < facts["nonzero_parameters"] <= facts["parameters"]
        assert 1_000 < facts["gzip_bytes"] < run["artifact"]["size_bytes"]
        assert facts["flops"] == 2 * facts["macs"]
    drop = next(m for m in fp32["metrics"] if m["name"] == "drop_points")
    assert abs(drop["point"]) <= 0.2


@pytest.mark.tensorflow
def test_setup_done_again_pushes_nothing(cli, board):
    first = cli("device", "setup", "board", "--json").json()["items"][0]
    again = cli("device", "setup", "board", "--json").json()["items"][0]

    assert first["pushed_bytes"] > 1_000_000
    assert again["pushed_bytes"] == 0
    assert again["empty_call_ns"] > 0


@pytest.mark.tensorflow
def test_what_a_power_cut_left_empty_is_pushed_again(cli, board):
    cli("device", "setup", "board")
    agents = list((board.home / ".edgeprof" / "agents").iterdir())
    for agent in agents:
        agent.write_bytes(b"")

    again = cli("device", "setup", "board", "--json")

    assert again.code == 0, again.err
    assert again.json()["items"][0]["pushed_bytes"] > 0
    assert all(agent.stat().st_size > 0 for agent in agents)


def test_the_other_runtime_runs_too(cli, board):
    done = cli("device", "setup", "board", "--runtime", "tflite-runtime", "--json")

    if "Python" in done.err:
        pytest.skip("tflite-runtime has no wheel for this Python")
    assert done.code == 0, done.err
    assert done.json()["items"][0]["runtime"]["name"] == "tflite-runtime"


@pytest.mark.tensorflow
def test_several_threads_are_several_cells_of_one_table(cli, tflite):
    done = cli("profile", tflite, "--threads", "1", "--threads", "2", *QUICK)

    assert done.code == 0, done.err
    assert "provisional (1 of 2 launches, no interval yet)" in done.err
    lines = [line for line in done.out.splitlines() if line.startswith("local")]
    assert len(lines) == 2
    assert "CPU only" in done.out


@pytest.mark.tensorflow
def test_stored_runs_are_listed_shown_exported_and_removed(cli, tflite):
    run_id = cli("profile", tflite, *QUICK, "--json").json()["items"][0]["run_id"]

    listed = cli("run", "list")
    shown = cli("run", "show", run_id[:4])
    exported = cli("run", "export", run_id, "-o", "run.json")
    removed = cli("run", "remove", run_id)

    assert run_id in listed.out
    assert "golden vectors" in shown.out
    assert exported.code == 0
    document = json.loads((cli.folder / "run.json").read_text())
    jsonschema.validate(document, schema())
    assert len(document["items"][0]["launches"][0]["latency_ns"]) == 70
    assert removed.out.strip() == f"removed {run_id}"
    assert run_id not in cli("run", "list").out


@pytest.mark.tensorflow
def test_ctrl_c_loses_no_finished_launch(cli, tflite):
    process = cli.start("profile", tflite, "--launches", "500", "--runs", "500")
    for line in process.stderr:
        if "provisional" in line:
            break
    time.sleep(1)

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert "finished launches, if any, are stored" in err
    assert "Traceback" not in err
    row = cli("run", "list", "--json").json()["items"][0]
    assert row["status"] == "interrupted"
    assert row["n_launches"] >= 1


@pytest.mark.tensorflow
def test_a_killed_host_leaves_nothing_running_and_its_launches_stored(cli, tflite):
    process = cli.start("profile", tflite, "--launches", "500", "--runs", "500")
    for line in process.stderr:
        if "provisional" in line:
            break

    process.kill()
    process.communicate(timeout=60)

    row = cli("run", "list", "--json").json()["items"][0]
    assert (row["status"], row["n_launches"] >= 1) == ("interrupted", True)
    assert eventually(lambda: not agents_of(cli))


@pytest.mark.tensorflow
def test_a_second_host_is_told_who_has_the_board(cli, tflite):
    process = cli.start("profile", tflite, "--launches", "500", "--runs", "500")
    for line in process.stderr:
        if "provisional" in line:
            break

    second = cli("profile", tflite, *QUICK)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert second.code == 1
    assert "error: `local` is in use by " in second.err
    assert "hint: two measurements at once would spoil each other: wait until it is done" in second.err


@pytest.mark.tensorflow
def test_real_models_have_their_known_accuracy_on_both_runtimes(cli, data, cache_dir):
    evaluation = data / "eval" / "cifar10_test500_lossless.npz"
    models = [
        data / "models/mlperf_tiny" / name for name in ("pretrainedResnet.tflite", "pretrainedResnet_quant.tflite")
    ]

    for runtime in ("litert", "tflite-runtime"):
        done = cli(
            "profile", *models, "--runtime", runtime, "--eval", evaluation, "--launches", "1", "--runs", "5", "--json"
        )
        if "Python" in done.err and runtime == "tflite-runtime":
            pytest.skip("tflite-runtime has no wheel for this Python")
        assert done.code == 0, done.err
        floats, quantised = (accuracy(run) for run in done.json()["items"])
        assert floats == pytest.approx(0.890, abs=0.0021)
        assert quantised == pytest.approx(0.884, abs=0.0061)


def test_a_stateful_model_starts_each_sample_fresh(cli, data, tmp_path):
    model = data / "models/tflm/trained_lstm.tflite"
    sample = np.random.default_rng(1).random((1, 28, 28), dtype=np.float32)
    np.savez(tmp_path / "same.npz", x=np.repeat(sample, 20, axis=0), y=np.zeros(20, dtype=np.int64))
    options = ("--eval", tmp_path / "same.npz", "-k", "1", "--runs", "3", "--json")

    done = cli("profile", model, "--runtime", "tflite-runtime", *options)

    if "Python" in done.err:
        pytest.skip("tflite-runtime has no wheel for this Python")
    assert done.code == 0, done.err
    # The same sample twenty times: with state left over the answers would differ.
    assert accuracy(done.json()["items"][0]) in (0.0, 1.0)


def test_a_runtime_that_refuses_variable_tensors_names_the_one_that_takes_them(cli, data):
    done = cli("profile", data / "models/tflm/trained_lstm.tflite", "--runtime", "litert", "-k", "1", "--runs", "3")

    assert done.code == 1
    assert "Variable tensors not yet supported" in done.err
    assert "hint: LiteRT does not run models that keep such state: `--runtime tflite-runtime` does" in done.err


def accuracy(run: dict) -> float:
    return next(m["point"] for m in run["metrics"] if m["name"] == "top1_ratio")


def agents_of(cli, home: str | None = None) -> list[str]:
    """Return the processes of agents and their children below a home folder."""
    home = home or cli.env["HOME"]
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{home}/.edgeprof/agents".encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def eventually(condition, seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_probe_says_what_a_board_is_and_where_that_differs_from_its_target(cli, board):
    cli("device", "add", "other", board.url, "--host-key", board.sshd.fingerprint, "--target", "raspberry-pi-5")

    shown = cli("device", "probe", "other")
    document = cli("device", "probe", "other", "--json").json()

    assert shown.code == 0, shown.err
    assert "differs from raspberry-pi-5: " in shown.out
    facts = document["items"][0]["probe"]
    assert facts["memory_total_bytes"] > 100_000_000
    assert len(facts["cpus"]) >= 1
    assert not (board.home / ".edgeprof/runtimes").exists() or not list((board.home / ".edgeprof/runtimes").iterdir())
