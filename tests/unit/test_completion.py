"""What the shell offers while somebody types."""

from edgeprof.cli.options import complete_run, complete_runtime, complete_status


def test_a_store_that_cannot_be_read_offers_nothing_and_says_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "r.db").write_bytes(b"not a database, " * 100)
    monkeypatch.setenv("EDGEPROF_STORE", str(tmp_path / "r.db"))

    assert complete_run("") == []
    assert capsys.readouterr() == ("", "")


def test_where_no_store_is_yet_nothing_is_offered_or_made(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEPROF_STORE", str(tmp_path / "none" / "r.db"))

    assert complete_run("") == []
    assert not (tmp_path / "none").exists()


def test_statuses_and_runtimes_are_offered():
    assert complete_status("co") == ["complete"]
    assert complete_runtime("t") == ["tflite-runtime"]
