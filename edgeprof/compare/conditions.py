"""What a figure depends on besides what one wants to know: two runs compare only where all of it is the same."""

from dataclasses import dataclass

from edgeprof.records import MOMENTARY, RunResult
from edgeprof.units import celsius


@dataclass(frozen=True, slots=True)
class Change:
    """A condition in which two runs differ.

    Attributes:
        name: Such as `threads`.
        base: What it was for the base.
        other: What it was for the run in question.
    """

    name: str
    base: str
    other: str


@dataclass(frozen=True, slots=True)
class Axis:
    """What is varied on purpose.

    Attributes:
        name: As the user names it.
        changes: Conditions that it cannot leave as they are.
        environment: It changes everything that the board says of itself, too.
    """

    name: str
    changes: tuple[str, ...]
    environment: bool = False

    def allows(self, change: Change) -> bool:
        """Return whether going along this axis may change that condition."""
        return change.name in self.changes or (self.environment and change.name.startswith("board's "))


DEVICE = Axis("device", ("device", "board", "target", "library"), environment=True)
# From the narrowest to the widest: the first that fits is the axis found.
AXES = (
    Axis("time", ()),
    Axis("recipe", ("artifact", "recipe")),
    Axis("artifact", ("artifact", "recipe", "model")),
    Axis("threads", ("threads",)),
    Axis("cores", ("cores",)),
    Axis("rate", ("rate",)),
    Axis("clocks", tuple(f"board's {name}" for name in ("clocks", "governor", "power_mode", "jetson_clocks", "cores"))),
    Axis("runtime", ("runtime", "runtime's version", "library", "delegate")),
    DEVICE,
)


def conditions(run: RunResult) -> dict[str, str]:
    """Return every condition of a run by name; what is not known is left out."""
    plan, runtime = run.plan, run.runtime
    found = {
        "metric": plan.metric,
        "model": run.artifact.model,
        "artifact": run.artifact.sha256[:12],
        "recipe": run.artifact.recipe,
        "device": run.device,
        "board": run.board_id,
        "target": run.target,
        "accelerator": plan.accelerator,
        "threads": str(plan.threads),
        "cores": plan.cpus,
        "rate": "back-to-back" if plan.rate_hz is None else f"{plan.rate_hz:g} Hz",
        "hottest at the start": "any" if plan.max_temp_mc is None else celsius(plan.max_temp_mc),
        "waits for an idle board": "yes" if plan.idle else "no",
    }
    if runtime:
        found |= {
            "runtime": runtime.name,
            "runtime's version": runtime.version,
            "library": runtime.library_sha256[:12],
            "delegate": runtime.delegate,
        }
    found |= {f"board's {name}": text for name, text in run.environment if not name.startswith(MOMENTARY)}
    return {name: text for name, text in found.items() if text is not None}


def differences(base: RunResult, other: RunResult) -> tuple[Change, ...]:
    """Return the conditions in which two runs differ; what only one of them says is no difference."""
    return differing(conditions(base), conditions(other))


def differing(first: dict[str, str], second: dict[str, str]) -> tuple[Change, ...]:
    """Return what is said otherwise in two sets of conditions."""
    return tuple(
        Change(name, text, second[name]) for name, text in first.items() if name in second and second[name] != text
    )
