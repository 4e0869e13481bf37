"""What commands that change or check something say they have done: one documented shape, on standard output."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from edgeprof.cli.app import app
from edgeprof.errors import EvidenceError, UsageError
from edgeprof.report.document import schema
from edgeprof.store import open_store
from tests.unit.test_exchange import MEASURED

OTHER = replace(MEASURED, run_id="cafe0001")
IDS = [MEASURED.run_id, OTHER.run_id]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """A function that runs a command beside a store of two runs; it returns the document that was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEPROF_STORE", "results.db")
    with open_store("results.db") as store:
        store.add_run(MEASURED)
        store.add_run(OTHER)

    def done(*words: str) -> dict:
        app([*words, "--json"], prog_name="edgeprof", standalone_mode=False)
        return printed(capsys)

    return done


def printed(capsys: pytest.CaptureFixture) -> dict:
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    jsonschema.validate(document, schema())
    assert captured.err == ""
    return document


@pytest.mark.parametrize("command", [("report",), ("run", "bundle")])
def test_a_written_file_has_its_size_and_hash(run, command):
    document = run(*command, *IDS, MEASURED.run_id, "-o", "made")

    data = Path("made").read_bytes()
    about = {"path": "made", "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "runs": IDS}
    assert (document["kind"], document["items"]) == ("written", [about])


def test_a_bundle_that_verifies_says_what_was_checked_and_one_that_does_not_gives_no_document(run, capsys):
    written = run("run", "bundle", *IDS, "-o", "e.zip")["items"][0]

    (item,) = run("verify", "e.zip")["items"]
    data = Path("e.zip").read_bytes()
    Path("e.zip").write_bytes(data.replace(b"cafe0001", b"cafe0002"))
    with pytest.raises(EvidenceError):
        run("verify", "e.zip")

    assert (item["sha256"], set(item["runs"])) == (written["sha256"], set(IDS))
    assert item["figures"] > 2
    assert capsys.readouterr().out == ""


def test_an_import_tells_what_is_new(run):
    run("run", "bundle", *IDS, "-o", "e.zip")
    run("run", "remove", OTHER.run_id)

    document = run("run", "import", "e.zip")

    assert document["kind"] == "imported"
    assert {item["run_id"]: item["new"] for item in document["items"]} == dict(zip(IDS, (False, True), strict=True))


def test_what_was_removed_before_a_name_that_nobody_knows_is_told(run, capsys):
    with pytest.raises(UsageError, match="ffff"):
        run("run", "remove", OTHER.run_id[:4], "ffff")

    assert printed(capsys)["items"] == [{"run_id": OTHER.run_id}]
    with pytest.raises(UsageError):
        run("run", "remove", "ffff")
    assert capsys.readouterr().out == ""


def test_saved_baselines_are_told_as_they_are_listed(run):
    run("baseline", "save", OTHER.run_id)

    saved = run("baseline", "save", MEASURED.run_id, "-o", "other.json")

    assert saved == run("baseline", "list", "other.json")
    assert saved["items"][0]["run_id"] == MEASURED.run_id
