"""Fail when a model costs more instructions than it did: a gate for CI machines, on a virtual board.

    edgeprof lab up --cpu cortex-a76
    python gate.py model.tflite --baseline costs.json --update     # once; commit costs.json
    python gate.py model.tflite --baseline costs.json              # in CI

Exit status: 0 no model costs more, 1 it could not be counted, 2 the baseline is of something else, 3 a model costs more.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

# A count is only comparable where all of these are the same.
CONDITIONS = ("virtual_board", "runtime", "library", "threads")


def counted(models: list[str], device: str) -> dict[str, dict]:
    """Return each model's conditions and count, by its name and recipe."""
    done = subprocess.run(["edgeprof", "profile", *models, "-d", device, "--json"], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(1)
    return dict(cost(run) for run in json.loads(done.stdout)["items"])


def cost(run: dict) -> tuple[str, dict]:
    """Return a run's name, and what of it goes into the baseline."""
    counts = [m for m in run["metrics"] if (m["name"], m["statistic"]) == ("guest_instructions", "median")]
    if not counts:
        sys.exit(f"gate: `{run['device']}` does not count instructions: edgeprof lab up --cpu cortex-a76")
    return f"{run['artifact']['model']} {run['artifact']['recipe']}", {
        "virtual_board": run["environment"]["virtual_board"],
        "runtime": f"{run['runtime']['name']} {run['runtime']['version']} ({run['runtime']['delegate']})",
        "library": run["runtime"]["library_sha256"],
        "threads": run["plan"]["threads"],
        "guest_instructions": counts[0]["point"],
    }


def verdict(name: str, now: dict, before: dict | None, limit: float) -> int:
    """Print a line about one model and return its exit status."""
    if before is None:
        print(f"{name}: not in the baseline; --update adds it")
        return 2
    other = [what for what in CONDITIONS if now[what] != before[what]]
    if other:
        print(f"{name}: not comparable: {other[0]} was {before[other[0]]}, is {now[other[0]]}; --update counts anew")
        return 2
    change = now["guest_instructions"] / before["guest_instructions"] - 1
    worse = change > limit
    print(
        f"{name}: {now['guest_instructions']:,.0f} instructions, {change:+.2%}{': MORE THAN ALLOWED' if worse else ''}"
    )
    return 3 if worse else 0


def main() -> int:
    """Count, then compare or write the baseline."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--device", default="lab-cortex-a76")
    parser.add_argument("--baseline", type=Path, required=True)
    parser.add_argument("--limit", type=float, default=0.01, help="the share it may cost more; 0.01 unless told")
    parser.add_argument("--update", action="store_true", help="write the baseline instead")
    args = parser.parse_args()
    if not args.update and not args.baseline.is_file():
        parser.error(f"there is no baseline at {args.baseline}; --update writes one")
    now = counted(args.models, args.device)
    if args.update:
        args.baseline.write_text(json.dumps(now, indent=2) + "\n")
        return 0
    before = json.loads(args.baseline.read_text())
    return max(verdict(name, found, before.get(name), args.limit) for name, found in now.items())


if __name__ == "__main__":
    sys.exit(main())
