"""`edgeprof validate`: may this build ship?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeprof.cli import show_error
from edgeprof.cli.measuring import INTERRUPTED
from edgeprof.cli.options import Json, StoreUrl

if TYPE_CHECKING:
    from edgeprof.validate import GateResult, Release

_CODES = {"pass": 0, "fail": 3, "inconclusive": 4}
_COUNTS_AS = ("fail", "pass", "inconclusive")


def validate(
    release: Annotated[Path, typer.Argument(metavar="[RELEASE]", help="Budgets; see docs/release-gate.md.")] = Path(
        "release.toml"
    ),
    inconclusive: Annotated[
        str,
        typer.Option(
            "--inconclusive", metavar="fail|pass", help="What an undecided check counts as.", show_default="exit 4"
        ),
    ] = "inconclusive",
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the verdicts as JUnit XML too.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write them as Markdown too.")] = None,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Write them as SARIF too.")] = None,
    annotate: Annotated[
        bool,
        typer.Option(
            "--annotate",
            envvar="GITHUB_ACTIONS",
            help="Print GitHub's annotations too, on standard error.",
        ),
    ] = False,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Measure what a release file's budgets need, and say for each: pass, fail or inconclusive.

    Exit status: 0 all pass, 3 one fails, 4 none fails and one is inconclusive or was not measured.

    Example:
    edgeprof validate release.toml --junit gate.xml
    """
    from edgeprof.errors import UsageError
    from edgeprof.report.gate import print_gate
    from edgeprof.report.junit import annotations
    from edgeprof.validate import load_release

    if inconclusive not in _COUNTS_AS:
        raise UsageError(f"--inconclusive `{inconclusive}` is unknown", "fail or pass; leave it out for exit status 4")
    loaded = load_release(release)
    files = {"junit": junit, "markdown": markdown, "sarif": sarif}
    _check_folders([file for file in files.values() if file])
    try:
        result = _run(loaded, store)
    except KeyboardInterrupt:
        print("\ninterrupted: no verdict; finished launches are stored", file=sys.stderr)  # noqa: T201
        raise typer.Exit(INTERRUPTED) from None
    whole = result.verdict(inconclusive)
    print_gate(result, whole, as_json=as_json)
    _write(files, loaded, result, whole)
    if annotate:
        print(annotations(result, loaded), end="", file=sys.stderr)  # noqa: T201
    for error in result.errors:
        show_error(error)
    raise typer.Exit(_CODES[whole])


def _run(release: "Release", store: str | None) -> "GateResult":
    from edgeprof.cli.terminal import Terminal
    from edgeprof.store import open_store
    from edgeprof.validate import run_gate

    with open_store(store) as opened, Terminal() as terminal:
        return run_gate(release, opened, terminal)


def _check_folders(paths: list[Path]) -> None:
    """Refuse a file that could not be written, before anything is measured."""
    from edgeprof.errors import UsageError

    for path in paths:
        if not path.absolute().parent.is_dir():
            raise UsageError(f"cannot write `{path}`: there is no such folder", "make it first")


def _write(files: dict[str, Path | None], release: "Release", result: "GateResult", whole: str) -> None:
    from edgeprof.errors import UsageError
    from edgeprof.report import gate, junit

    texts = {
        "junit": junit.junit(result),
        "markdown": gate.markdown(result, whole),
        "sarif": junit.sarif(result, release),
    }
    for kind, path in files.items():
        try:
            if path:
                path.write_text(texts[kind], encoding="utf-8")
        except OSError as exc:
            raise UsageError(f"cannot write `{path}`: {exc.strerror}", "name another file") from exc
