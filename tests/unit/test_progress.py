"""What a log hears of long work."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from edgeprof.cli import terminal
from tests.unit.test_reports import RUN


def launched(monkeypatch: pytest.MonkeyPatch, soon_s: float, every_s: float) -> None:
    """Let four launches end at once, as those of cells in turns do."""
    monkeypatch.setattr(terminal, "SOON_S", soon_s)
    monkeypatch.setattr(terminal, "EVERY_S", every_s)
    run = replace(RUN, launches=RUN.launches * 2)
    with terminal.Terminal() as shown:
        for done in range(1, 5):
            shown.launched(run, done, 16)


def test_a_log_hears_how_far_a_device_is_and_how_long_the_rest_takes(monkeypatch, capsys):
    launched(monkeypatch, soon_s=0, every_s=0)

    assert "pi5: launch 4 of 16, about 0:00 left\n" in capsys.readouterr().err


def test_a_log_hears_no_more_than_it_must(monkeypatch, capsys):
    launched(monkeypatch, soon_s=0, every_s=3600)

    assert "launch" not in capsys.readouterr().err


def test_no_time_is_given_while_no_pace_is_known(monkeypatch, capsys):
    launched(monkeypatch, soon_s=3600, every_s=0)

    assert "left" not in capsys.readouterr().err


def test_a_second_measurement_on_a_device_has_a_pace_of_its_own(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "SOON_S", 0)
    monkeypatch.setattr(terminal, "EVERY_S", 0)
    now = [0.0]
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: now[0]))
    shown = terminal.Terminal()
    for done, now[0] in ((1, 0.0), (2, 1.0), (1, 100.0), (2, 101.0)):
        shown.launched(RUN, done, 8)

    assert capsys.readouterr().err.count("pi5: launch 2 of 8, about 0:06 left\n") == 2
