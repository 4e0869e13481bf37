"""What typer refuses, in edgeprof's own words."""

import pytest
from typer.exceptions import TyperException

from edgeprof.cli.app import app
from edgeprof.cli.usage import as_ours


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("devices",), "unknown command: `devices`", "did you mean `device`? `edgeprof -h` shows all"),
        (("lab", "don"), "unknown command: `don`", "did you mean `down`? `edgeprof lab -h` shows all"),
        (("ab", "--energi"), "unknown option: `--energi`", "did you mean `--energy`? `edgeprof ab -h` shows all"),
        (("profile",), "MODEL is missing", "`edgeprof profile -h` shows all"),
        (("profile", "m", "-t", "two"), "--threads / -t wants a whole number", "`edgeprof profile -h` shows all"),
        (("profile", "m", "--max-temp", "nan"), "--max-temp must be at most 150", "`edgeprof profile -h` shows all"),
        (("serve", "--port", "99999"), "--port / -p must be at most 65535", "`edgeprof serve -h` shows all"),
        (("inspect", "a", "b"), "too many arguments: `b`", "`edgeprof inspect -h` shows all"),
    ],
)
def test_what_was_typed_wrong_is_said_in_one_line_with_the_next_step(words, message, hint):
    with pytest.raises(TyperException) as refused:
        app(list(words), prog_name="edgeprof", standalone_mode=False)

    error = as_ours(refused.value)

    assert (error.message, error.hint) == (message, hint)
