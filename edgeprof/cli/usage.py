"""What typer refuses, said as everything else is: `error: …` and `hint: …`."""

import re
from typing import Any

from typer.exceptions import TyperException

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

# What pydantic, which typer asks, says of a value; the rest is shown as it is.
_SAID = (
    (r"Input should be a valid integer.*", "wants a whole number"),
    (r"Input should be a valid number.*", "wants a number"),
    (r"Input should be greater than or equal to (.*)", r"must be at least \1"),
    (r"Input should be less than or equal to (.*)", r"must be at most \1"),
)


def as_ours(refused: TyperException) -> UsageError:
    """Return the error that stands for what typer refused: names of commands and options get the nearest known one."""
    context: Any = getattr(refused, "ctx", None)
    shows = f"`{context.command_path} -h` shows all" if context else None
    text = refused.format_message().removesuffix(".")
    if (option := getattr(refused, "option_name", None)) and hasattr(refused, "possibilities"):
        known = [name for param in context.command.params for name in param.opts if name.startswith("--")]
        return UsageError(f"unknown option: `{option}`", f"{did_you_mean(option, known)}{shows}")
    if command := re.match(r"No such command '(.*?)'", text):
        known = context.command.list_commands(context)
        return UsageError(f"unknown command: `{command[1]}`", f"{did_you_mean(command[1], known)}{shows}")
    if missing := re.match(r"Missing (\w+) '(.*)'", text):
        what = "is missing" if missing[1] == "argument" else f"must be given ({missing[1]})"
        return UsageError(f"{missing[2]} {what}", shows)
    if extra := re.match(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", text):
        return UsageError(f"too many arguments: `{extra[1]}`", shows)
    if value := re.match(r"Invalid value for (.*?): (.*)", text, re.DOTALL):
        return UsageError(f"{value[1].replace(chr(39), '')} {_reworded(value[2])}", shows)
    return UsageError(text[:1].lower() + text[1:].replace("'", "`"), shows)


def _reworded(text: str) -> str:
    for pattern, ours in _SAID:
        if re.fullmatch(pattern, text, re.DOTALL):
            return re.sub(pattern, ours, text, flags=re.DOTALL)
    return f"is refused: {text}"
