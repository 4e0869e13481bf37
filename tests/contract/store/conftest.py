"""The same store on SQLite and on Debian's PostgreSQL server."""

import pytest
import sqlalchemy as sa

from edgeprof.store import open_store
from tests import postgres


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL server for all tests of a process; it costs two seconds."""
    if reason := postgres.missing():
        pytest.skip(reason)
    with postgres.running() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """Where an empty store may be made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    found = request.getfixturevalue("server")
    engine = sa.create_engine(found)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return found


@pytest.fixture
def store(url):
    with open_store(url) as opened:
        yield opened
