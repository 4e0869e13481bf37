"""A gate as JUnit XML, as SARIF and as annotations: what CI systems show by themselves."""

import json
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from edgeprof import version
from edgeprof.report.gate import figure_name, notes, sentence, title
from edgeprof.validate import FAIL, INCONCLUSIVE, PASS, GateResult, Verdict
from edgeprof.validate.release import Release

_KINDS = {FAIL: "fail", INCONCLUSIVE: "open", PASS: "pass"}


def junit(result: GateResult) -> str:
    """Return a gate as JUnit XML: a test case a check; what is inconclusive is an error, not a failure.

    Source: the schema of Apache Ant's JUnit report, as Jenkins, GitLab and others read it.
    """
    kinds = [one.verdict for one in result.verdicts]
    counts = {"tests": len(kinds), "failures": kinds.count(FAIL), "errors": kinds.count(INCONCLUSIVE)}
    suite = Element("testsuite", {"name": "edgeprof", **{name: str(count) for name, count in counts.items()}})
    for verdict in result.verdicts:
        _case(suite, verdict)
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _case(suite: Element, verdict: Verdict) -> None:
    where = f"{verdict.check.artifact.name}.{verdict.check.device}"
    case = SubElement(suite, "testcase", classname=_xml(where), name=_xml(figure_name(verdict)))
    if verdict.verdict != PASS:
        kind = "failure" if verdict.verdict == FAIL else "error"
        SubElement(case, kind, message=_xml(sentence(verdict)), type=verdict.verdict)
    out = SubElement(case, "system-out")
    out.text = _xml("\n".join([sentence(verdict), *notes(verdict)]))


def sarif(result: GateResult, release: Release) -> str:
    """Return a gate as SARIF: each check points at its line of the release file.

    Source: OASIS (2023), "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
    """
    keys = list(dict.fromkeys(one.check.figure.key for one in result.verdicts))
    driver = {
        "name": "edgeprof",
        "version": version(),
        "rules": [{"id": key, "shortDescription": {"text": f"the budget of {key}"}} for key in keys],
    }
    path = release.path
    uri = {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}
    results = [
        {
            "ruleId": one.check.figure.key,
            "kind": _KINDS[one.verdict],
            "level": "error" if one.verdict == FAIL else "none",
            "message": {"text": f"{title(one)}: {one.verdict}: {sentence(one)}"},
            "locations": [
                {"physicalLocation": {"artifactLocation": uri, "region": {"startLine": one.check.line}}},
            ],
        }
        for one in result.verdicts
    ]
    whole = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


def annotations(result: GateResult, release: Release) -> str:
    """Return what did not pass as annotations of GitHub's, at the line of its budget: errors, or warnings if undecided.

    Source: GitHub Docs, "Workflow commands for GitHub Actions", setting an error message.
    """
    return "".join(
        f"::{'error' if one.verdict == FAIL else 'warning'} file={_property(str(release.path))},line={one.check.line},"
        f"title={_property(f'edgeprof: {one.verdict}')}::{_data(f'{title(one)}: {sentence(one)}')}\n"
        for one in result.verdicts
        if one.verdict != PASS
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _xml(text: str) -> str:
    """Return text without the characters that no XML may hold."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
