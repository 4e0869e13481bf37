"""The report as people open it: in a browser, offline."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from edgeprof import resources
from edgeprof.records import State, SustainedWindow
from edgeprof.report.document import schema
from edgeprof.report.html import page
from tests.unit.test_energy import trace
from tests.unit.test_page import HOSTILE, launches
from tests.unit.test_reports import COUNTED, OP_PROFILE, RUN

MODEL = resources.folder("device_agents") / "selftest.tflite"
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page offline; at the end nothing may have been asked for or complained of."""
    seen: list[str] = []
    contexts = []

    def call(text: str, **options):
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        contexts.append(browser.new_context(offline=True, accept_downloads=True, **options))
        opened = contexts[-1].new_page()
        opened.on("console", lambda message: seen.append(message.text))
        opened.on("pageerror", lambda error: seen.append(str(error)))
        opened.on(
            "request",
            lambda request: None if request.url.startswith(("file://", "blob:")) else seen.append(request.url),
        )
        opened.goto(file.as_uri())
        return opened

    yield call
    for context in contexts:
        context.close()
    assert seen == []


@pytest.fixture(scope="module")
def everything() -> str:
    """Return a page with all there can be on it, hostile names among it."""
    windows = tuple(SustainedWindow(float(s), 10, 1e6 + 1000 * s, 2e6, 40_000 + s, 1_800_000) for s in range(60))
    whole = replace(
        RUN,
        launches=tuple(launches(8, 300)),
        states=tuple(State(40_000 + i, 600_000, 1_800_000, 0.1) for i in range(8)),
        sustained=windows,
        plan=replace(RUN.plan, sustained_s=60.0),
        op_profile=OP_PROFILE,
        power=trace(),
        group="g",
    )
    hostile = replace(whole, run_id="ffff0000", device=HOSTILE, launches=tuple(launches(8, 300, 2)))
    return page([whole, hostile, replace(COUNTED, run_id="cccc0000")])


def test_charts_draw_with_something_in_them(show, everything):
    opened = show(everything)
    sizes = opened.eval_on_selector_all(
        ".chart svg",
        "all => all.map(svg => [svg.getBoundingClientRect().height, svg.querySelectorAll('path,rect,circle').length])",
    )
    broken = opened.evaluate("() => document.querySelector('main').innerText.match(/NaN|Infinity|undefined/g)")

    assert len(sizes) == 2 + 6 + 6 + 3
    assert all(height > 40 and marks > 3 for height, marks in sizes)
    assert broken is None


def test_tables_sort_both_ways_and_what_is_missing_stays_last(show, everything):
    opened = show(everything)
    table = opened.locator("#summary table")
    sizes = lambda: table.locator("tbody td:nth-child(3)").evaluate_all("all => all.map(td => td.dataset.sort)")  # noqa: E731

    table.locator("th:nth-child(3) button").click()
    rising = sizes()
    table.locator("th:nth-child(3) button").click()
    falling = sizes()

    assert rising[-1] == falling[-1] == ""
    assert [float(v) for v in rising[:-1]] == sorted(float(v) for v in rising[:-1])
    assert falling[:-1] == rising[:-1][::-1]
    assert table.locator("th:nth-child(3)").get_attribute("aria-sort") == "descending"


def test_the_data_come_out_as_the_document_they_are(show, everything, tmp_path):
    opened = show(everything)
    with opened.expect_download() as waiting:
        opened.click("#download")
    waiting.value.save_as(tmp_path / "runs.json")

    document = json.loads((tmp_path / "runs.json").read_text())
    jsonschema.validate(document, schema())
    assert waiting.value.suggested_filename == "edgeprof-runs.json"
    assert document["items"][1]["device"] == HOSTILE
    assert len(document["items"][0]["launches"][0]["latency_ns"]) == 300


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_scrolling_sideways_and_text_is_readable(scheme, show, everything):
    opened = show(everything, viewport={"width": 360, "height": 740}, color_scheme=scheme)

    width = opened.evaluate("() => document.documentElement.scrollWidth")
    contrast = opened.evaluate(CONTRAST)

    assert width <= 360
    assert contrast >= 4.5


@pytest.mark.parametrize("width", [1000, 1280])
def test_no_table_is_cut_at_its_right_end_on_a_desk(width, show, everything):
    opened = show(everything, viewport={"width": width, "height": 1180})

    cut = opened.eval_on_selector_all(
        ".scroll", "all => all.filter(part => part.scrollWidth > part.clientWidth).map(part => part.innerText)"
    )

    assert cut == []


def test_printing_opens_what_is_folded(show, everything):
    opened = show(everything)

    opened.emulate_media(media="print")
    opened.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")

    assert opened.locator("details:not([open])").count() == 0
    assert len(opened.pdf()) > 20_000


def test_without_scripts_everything_is_still_there(show, everything):
    opened = show(everything, java_script_enabled=False)

    assert opened.locator("figure").count() == 17
    assert opened.locator("#download").get_attribute("href").startswith("data:application/gzip;base64,")


def test_the_command_writes_one_file_about_stored_runs(cli, show):
    document = cli("profile", MODEL, "-t", "1", "-t", "2", "-k", "2", "--runs", "40", "--per-op", "--json").json()
    ids = [run["run_id"] for run in document["items"]]

    done = cli("report", *ids, "-o", "out.html")
    opened = show((cli.folder / "out.html").read_text())

    assert done.code == 0, done.err
    assert done.out.startswith("wrote out.html (")
    assert [opened.locator(f"#r{run_id}").count() for run_id in ids] == [1, 1]
    assert "×2 against ×1" in opened.locator(".verdict").inner_text()


def test_what_cannot_be_written_or_is_not_there_is_told(cli):
    unknown = cli("report", "ffff")
    nothing = cli("report")
    run_id = cli("profile", MODEL, "-k", "1", "--runs", "5", "--json").json()["items"][0]["run_id"]
    nowhere = cli("report", run_id, "-o", "no/such/folder/r.html")

    assert (unknown.code, nothing.code, nowhere.code) == (2, 2, 2)
    assert "`edgeprof run list` shows all" in unknown.err
    assert "error: cannot write `no/such/folder/r.html`: No such file or directory" in nowhere.err
    assert not Path(cli.folder / "report.html").exists()


# The lowest ratio of contrast between any text of the body and the ground behind it (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const luminance = (rgb) => {
    const [r, g, b] = rgb.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return Math.min(...[...document.querySelectorAll("h1,p,td,th,small,dt,dd,a,code,svg text")].map((element) => {
    const style = getComputedStyle(element);
    const ends = [luminance(element.closest("svg") ? style.fill : style.color), luminance(ground(element))];
    return (Math.max(...ends) + 0.05) / (Math.min(...ends) + 0.05);
  }));
}"""
