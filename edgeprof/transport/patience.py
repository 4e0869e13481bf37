"""How long a board may take to answer before it is taken to be away, and what is left of that."""

import math
import os
import time

from edgeprof.errors import UsageError

ANSWER_VARIABLE = "EDGEPROF_ANSWER_S"


def answer_s(usual_s: float) -> float:
    """Return how long a board may take to answer a short question: what the environment says, or what is usual.

    Raises:
        UsageError: The environment says something else than a number of seconds.
    """
    text = os.environ.get(ANSWER_VARIABLE, str(usual_s))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"{ANSWER_VARIABLE} is no number of seconds: `{text}`", f"such as `{ANSWER_VARIABLE}=60`")
    return seconds


def left_s(deadline: float) -> float:
    """Return the seconds until a `time.monotonic()`, and never too few to look once."""
    return max(0.1, deadline - time.monotonic())
