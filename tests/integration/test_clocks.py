"""Clocks on this machine, where nobody may set them; tests/boards has a kernel that lets us."""

import shutil
from pathlib import Path

import pytest

from edgeprof import resources

MODEL = resources.folder("device_agents") / "selftest.tflite"
CPUFREQ = Path("/sys/devices/system/cpu/cpufreq/policy0")


@pytest.mark.skipif(CPUFREQ.exists(), reason="this machine's own clocks would be set")
def test_a_machine_whose_kernel_sets_no_clocks_is_refused(cli):
    done = cli("profile", MODEL, "-d", "local", "--pin-clocks")

    assert done.code == 1
    assert "error: `local` lets nobody set its clocks: its kernel has no cpufreq" in done.err
    assert "hint: " in done.err


@pytest.mark.skipif(CPUFREQ.exists(), reason="this machine's own clocks would be set")
def test_a_gate_on_a_machine_whose_clocks_nobody_sets_says_so_and_passes_nothing(cli):
    text = f'[[artifact]]\nfile = "{MODEL}"\npin_mhz = 1500\n[[budget]]\ndevice = "local"\nlatency = "10 s"\n'
    (cli.folder / "release.toml").write_text(text)

    done = cli("validate")

    assert done.code == 4
    assert "error: `local` lets nobody set its clocks: its kernel has no cpufreq" in done.err


@pytest.mark.skipif(shutil.which("nvpmodel") is not None, reason="this machine is a Jetson")
def test_a_machine_that_is_no_jetson_has_no_power_modes(cli):
    done = cli("profile", MODEL, "-d", "local", "--power-mode", "15W")

    assert done.code == 1
    assert "error: `local` has no power modes: it has no `nvpmodel`" in done.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--pin-mhz", "fast"), "--pin-mhz `fast` names no clock"),
        (("--pin-mhz", "1500", "--pin-mhz", "big=1800"), "--pin-mhz names some cores twice"),
    ],
)
def test_what_names_no_clock_is_refused(args, words, cli):
    done = cli("profile", MODEL, "-d", "local", *args)

    assert done.code == 2
    assert words in done.err
    assert "hint: " in done.err


def test_where_nothing_was_changed_nothing_is_set_back(cli):
    done = cli("device", "restore", "local")

    assert done.code == 0, done.err
    assert "nothing is to be set back" in done.out
    assert cli("device", "restore", "nobody").code == 2
