"""How long a board may take to answer."""

import pytest

from edgeprof.errors import UsageError
from edgeprof.transport.patience import ANSWER_VARIABLE, answer_s
from edgeprof.transport.sshlink import usual_deadlines


def test_what_nobody_says_is_as_usual(monkeypatch):
    monkeypatch.delenv(ANSWER_VARIABLE, raising=False)

    assert (answer_s(30), usual_deadlines().connect_s) == (30, 10)


def test_what_the_environment_says_holds_for_answers_and_for_logins(monkeypatch):
    monkeypatch.setenv(ANSWER_VARIABLE, "2.5")

    assert (answer_s(30), usual_deadlines().connect_s) == (2.5, 2.5)


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "inf"])
def test_what_is_no_time_is_refused(text, monkeypatch):
    monkeypatch.setenv(ANSWER_VARIABLE, text)

    with pytest.raises(UsageError, match=f"{ANSWER_VARIABLE} is no number of seconds: `{text}`") as caught:
        answer_s(30)

    assert "such as" in caught.value.hint
