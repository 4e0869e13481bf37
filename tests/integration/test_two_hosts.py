"""Two hosts and one PostgreSQL server: one dies in the middle of a matrix, the other goes on with it."""

import signal

import pytest
import sqlalchemy as sa

from edgeprof import resources
from tests import postgres

MODEL = resources.folder("device_agents") / "selftest.tflite"
MATRIX = ("profile", MODEL, "-t", "1", "-t", "2", "--no-energy", "--runs", "40", "--json")
# Python runs this before anything else: the host is called as the test wants.
SITE = "import os, socket\nname = os.environ.get('HOST_NAME')\nif name:\n    socket.gethostname = lambda: name\n"


@pytest.fixture
def on(cli):
    """Give the command line on a host of some name, with a store on the server that all hosts share."""
    if reason := postgres.missing():
        pytest.skip(reason)
    (cli.folder / "site").mkdir()
    (cli.folder / "site/sitecustomize.py").write_text(SITE)
    with postgres.running() as url:
        shared = {**cli.env, "PYTHONPATH": str(cli.folder / "site"), "EDGEPROF_STORE": url}
        yield lambda name: type(cli)({**shared, "HOST_NAME": name}, cli.folder)


def test_a_session_whose_host_died_is_taken_up_by_another(on):
    first, second = on("first"), on("second")
    matrix = (*MATRIX, "-k", "3")
    process = first.start(*matrix)
    for line in process.stderr:
        if "provisional" in line:
            break
    process.send_signal(signal.SIGSTOP)  # it lives, and holds its lease

    busy = second(*matrix, "--resume")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    silence(first.env["EDGEPROF_STORE"])
    listed = second("run", "list", "--json").json()["items"]
    resumed = second(*matrix, "--resume")

    assert busy.code == 2
    assert "error: `first` is measuring that session: run " in busy.err
    assert {row["status"] for row in listed} == {"abandoned"}
    assert sum(row["n_launches"] for row in listed) >= 1
    assert resumed.code == 0, resumed.err
    document = resumed.json()
    assert "taken" not in document
    assert {item["status"] for item in document["items"]} == {"complete"}
    again = second(*matrix, "--resume").json()
    assert sorted(again["taken"]) == sorted(item["run_id"] for item in document["items"])
    abandoned = second("run", "list", "--status", "abandoned", "--json").json()["items"]
    assert [row["run_id"] for row in abandoned] == [row["run_id"] for row in listed]


def silence(url: str) -> None:
    """Let five minutes pass in which nobody was heard of."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE runs SET seen_unix_s = seen_unix_s - 300"))
    engine.dispose()
