"""Figures about edgeprof itself, each a ratio of two things measured side by side in this run. `make bench`.

`python -m benchmarks.run [PART...]`: a part that passed on this commit is not measured again, so that a run that was
stopped goes on. Nothing here runs in CI: a busy machine makes slow figures, and a slow figure is no defect.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
RUNS = "300"
PAIRS = 7
FOLDER = ROOT / "build" / "bench"
OWN = "--own"
MODEL = FOLDER / "mobilenet_v2-fp32.tflite"
# Each a program of its own, the quick ones first. What passed on this commit is not measured again; `verdicts` and
# what it has so far outlives commits.
PARTS = {
    "own": ("benchmarks.run", OWN),
    "push": ("benchmarks.push",),
    "per_op": ("benchmarks.per_op", str(MODEL)),
    "sampler": ("benchmarks.sampler",),
    "agents": ("benchmarks.agents",),
    "serial": ("benchmarks.serial",),
    "energy": ("benchmarks.energy",),
    "coverage": ("benchmarks.coverage",),
    "verdicts": ("benchmarks.verdicts", os.environ.get("MINUTES", "60")),
}


def main() -> None:
    """Run the parts that were asked for, or all; end with 1 where one failed."""
    asked = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in asked if name not in (*PARTS, OWN)]:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if asked == [OWN]:
        own()
        return
    failed = [name for name in asked if not part(name)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def part(name: str) -> bool:
    """Run a part and keep what it printed, or print what it printed before on this commit; return whether it passed."""
    done = FOLDER / f"{name}-{commit()}.txt"
    if done.is_file():
        print(f"== {name}, from {done.relative_to(ROOT)}; delete it to measure anew\n{done.read_text()}", flush=True)
        return True
    print(f"== {name}", flush=True)
    if str(MODEL) in PARTS[name]:
        model()
    command = [sys.executable, "-m", *PARTS[name]]
    kept = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            kept.append(line)
    if process.returncode == 0:
        FOLDER.mkdir(parents=True, exist_ok=True)
        done.write_text("".join(kept))
    return process.returncode == 0


def commit() -> str:
    """Return the commit that is measured; what is not committed counts as another each day."""
    asked = ["git", "describe", "--always", "--dirty"]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return f"{said}-{datetime.now(UTC):%Y%m%d}" if said.endswith(("dirty", "unknown")) else said


def own() -> None:
    """Print what is measured here: start-up, the agent's loop against the vendor's, the installed size."""
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder))
        help_against_empty_typer(Path(folder), env)
        first_provisional_line(env)
        agent_against_vendor_tool(Path(folder), env)
    installed_size()


def environment(folder: Path) -> dict[str, str]:
    own = {"HOME": str(folder), "EDGEPROF_CONFIG_DIR": str(folder), "EDGEPROF_STORE": str(folder / "results.db")}
    inherited = dict(os.environ)
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # of containers: an installed edgeprof is compiled once
    return {**inherited, **own}


def seconds(command: list[str], env: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def help_against_empty_typer(folder: Path, env: dict[str, str]) -> None:
    empty = folder / "empty.py"
    empty.write_text("import typer\napp = typer.Typer()\n@app.command()\ndef main(): pass\napp()\n")
    ours, theirs = [str(BIN / "edgeprof"), "--help"], [sys.executable, str(empty), "--help"]
    seconds(ours, env), seconds(theirs, env)
    pairs = [(seconds(ours, env), seconds(theirs, env)) for _ in range(2 * PAIRS)]
    show("edgeprof --help / empty typer app --help", [a / b for a, b in pairs], "<= 1.3")


def first_provisional_line(env: dict[str, str]) -> None:
    command = [str(BIN / "edgeprof"), "profile", str(model()), "-d", "local", "--launches", "1"]
    subprocess.run(command, env=env, capture_output=True, check=True)  # provisions the board
    times = [provisional(command, env) for _ in range(PAIRS)]
    show("local .tflite to its first provisional line, s", times, "<= 2")


def provisional(command: list[str], env: dict[str, str]) -> float:
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    found = next(time.perf_counter() - started for line in process.stderr if "provisional" in line)
    process.communicate()
    return found


def agent_against_vendor_tool(folder: Path, env: dict[str, str]) -> None:
    """Compare p05, the uncontended part, of the agent's loop and of the vendor's tool on the same file."""
    ratios = []
    for _ in range(PAIRS):
        theirs = vendor_p05_ms(folder)
        ratios.append(our_p05_ms(env) / theirs)
    show("agent p05 / ai_edge_litert.tools.benchmark_litert_model p5", ratios, "0.97 to 1.03")


def model() -> Path:
    """Return MobileNetV2 at 96 x 96 in float, made once: some milliseconds, as the vendor's tool prints hundredths of one."""
    made = MODEL
    if not made.is_file():
        source = made.with_name("mobilenet_v2.keras")
        source.parent.mkdir(parents=True, exist_ok=True)
        program = f"import keras; keras.applications.MobileNetV2((96, 96, 3), weights=None).save({str(source)!r})"
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        command = [str(BIN / "edgeprof"), "compress", str(source), "--recipe", "fp32", "-o", str(made.parent)]
        subprocess.run(command, check=True, capture_output=True)
    return made


def vendor_p05_ms(folder: Path) -> float:
    report = folder / "vendor.json"
    command = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model", "--model", str(model())]
    command += ["--num_runs", RUNS, "--warmup_runs", "50", "--num_threads", "1", "--result_json", str(report)]
    subprocess.run(command, capture_output=True, check=True)
    return float(json.loads(report.read_text())["latency"]["p5_ms"])


def our_p05_ms(env: dict[str, str]) -> float:
    command = [
        str(BIN / "edgeprof"),
        "profile",
        str(model()),
        "-d",
        "local",
        "--launches",
        "1",
        "--runs",
        "1500",
        "--json",
    ]
    run = json.loads(subprocess.run(command, env=env, capture_output=True, check=True).stdout)["items"][0]
    shown = subprocess.run(
        [str(BIN / "edgeprof"), "run", "show", run["run_id"], "--json"], env=env, capture_output=True, check=True
    )
    samples = json.loads(shown.stdout)["items"][0]["launches"][0]["latency_ns"]
    return float(np.percentile(samples, 5)) / 1e6


def installed_size() -> None:
    """Install the core into an environment of its own and weigh it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        site = next(Path(folder).glob("lib/python*/site-packages"))
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site), str(ROOT)], check=True
        )
        total = sum(path.stat().st_size for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc")
        own = sum(
            path.stat().st_size for path in (site / "edgeprof").rglob("*") if path.is_file() and path.suffix != ".pyc"
        )
    print(
        f"installed size of the core: {total / 1e6:.0f} MB without .pyc, of which edgeprof {own / 1e6:.1f} MB ({sysconfig.get_platform()})"
    )


def show(what: str, values: list[float], wanted: str) -> None:
    ordered = sorted(values)
    print(
        f"{what}: median {statistics.median(ordered):.3f}, {ordered[0]:.3f} to {ordered[-1]:.3f}, {len(ordered)} pairs; wanted {wanted}"
    )


if __name__ == "__main__":
    main()
