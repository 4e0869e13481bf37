"""Verdicts on checks, one by one and as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeprof.errors import EdgeprofError
from edgeprof.records import RunResult
from edgeprof.stats import decide
from edgeprof.stats.comparisons import Decidable
from edgeprof.units import quantity
from edgeprof.validate.release import Check

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
# The chance that any verdict of a whole gate is wrong; each of its two stages has half of it.
ERROR = 0.01
STAGES = 2
CONFIDENCE = 1 - ERROR / STAGES
Span = tuple[float | None, float, float | None]
_MEANING = {"less": PASS, "more": FAIL, "same": PASS, "inconclusive": INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a check.

    Attributes:
        check: The check.
        verdict: `pass`, `fail` or `inconclusive`.
        metric: What `value` is in: the figure's metric, or `ratio` to a baseline.
        value: The figure, or `None` where it was not measured.
        low: Lower end of its interval, or `None`.
        high: Upper end.
        limit: What it was held against, in `metric`; `None` where there is nothing to hold it against.
        confidence: Of the interval.
        n: Launches, processes or samples behind it.
        run_id: The run, or `None` where there is none.
        reason: Why it was not measured or not compared, or `None`.
        sampled: Fresh launches could tell more.
        warnings: Codes of what may spoil the figure.
        first: What the first measurement said, where there was a second.
    """

    check: Check
    verdict: str
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    confidence: float = CONFIDENCE
    n: int = 0
    run_id: str | None = None
    reason: str | None = None
    sampled: bool = False
    warnings: tuple[str, ...] = ()
    first: "Verdict | None" = None

    def measured(self, span: Span, n: int, *, sampled: bool = False) -> "Verdict":
        """Return this verdict with its figure: low end, value and high end, and what stands behind it."""
        low, value, high = span
        if low is not None and high is not None:
            low, high = min(low, value), max(high, value)
        return replace(self, low=low, value=value, high=high, n=n, sampled=sampled)


@dataclass(frozen=True, slots=True)
class GateResult:
    """A whole gate.

    Attributes:
        verdicts: One a check, in their order.
        runs: Every run that was measured, of both stages.
        errors: What went wrong while measuring.
    """

    verdicts: tuple[Verdict, ...]
    runs: tuple[RunResult, ...]
    errors: tuple[EdgeprofError, ...]

    def verdict(self, inconclusive: str) -> str:
        """Return the whole's verdict.

        Args:
            inconclusive: `fail` or `pass`: what an undecided check counts as. One that was not measured never passes.
        """
        found = {self._counts_as(one, inconclusive) for one in self.verdicts}
        return next((kind for kind in (FAIL, INCONCLUSIVE) if kind in found), PASS)

    @staticmethod
    def _counts_as(one: Verdict, inconclusive: str) -> str:
        open_ = one.verdict == INCONCLUSIVE and one.value is not None
        return inconclusive if open_ and inconclusive in (PASS, FAIL) else one.verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """A check with what was measured for it, before anybody asked how many other checks there are."""

    verdict: Verdict
    test: Decidable | None


def judge(found: Sequence[Evidence]) -> list[Verdict]:
    """Return the verdicts of one stage; together they are wrong with a chance of at most `ERROR / STAGES` (Holm)."""
    decided = decide([evidence.test for evidence in found], CONFIDENCE)
    return [
        evidence.verdict if evidence.test is None else replace(evidence.verdict, verdict=_MEANING[verdict])
        for evidence, verdict in zip(found, decided, strict=True)
    ]


def shown(verdict: Verdict, number: float | None) -> str:
    """Return a number of a verdict for people, in its unit; a ratio as the change it is."""
    if number is None:
        return ""
    if verdict.metric == "ratio":
        return f"{round((number - 1) * 100, 1) + 0.0:+.1f} %".replace("-", "−")  # + 0.0: no −0.0
    return quantity(verdict.metric, number)
