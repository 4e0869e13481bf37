"""Files that are written whole."""

from pathlib import Path

import pytest

from edgeprof.resources import write_whole


def test_a_write_that_fails_leaves_what_stood_there_and_nothing_beside_it(tmp_path):
    (tmp_path / "report.html").write_text("old")

    with pytest.raises(TypeError):
        write_whole(tmp_path / "report.html", None)

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.html", "old")]


def test_a_link_stays_a_link_and_what_is_no_file_is_written_as_it_is(tmp_path, capfdbinary):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")

    write_whole(tmp_path / "link", b"new")
    write_whole(Path("/dev/stdout"), b"said")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_bytes() == b"new"
    assert capfdbinary.readouterr().out == b"said"
