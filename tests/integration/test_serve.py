"""`edgeprof serve` as people open it: in a browser; and as somebody would who has no business there."""

import http.client
import json
import shutil
import signal
import threading
from contextlib import contextmanager
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from edgeprof import resources
from edgeprof.report.document import schema
from edgeprof.serve import bind
from edgeprof.serve.server import is_loopback
from edgeprof.store import open_store
from tests.unit.test_page import HOSTILE, launches
from tests.unit.test_reports import RUN

MODEL = resources.folder("device_agents") / "selftest.tflite"
CHROMIUM = shutil.which("chromium")


@contextmanager
def serving(store, **options):
    bound = bind(store, "127.0.0.1", 0, **options)
    thread = threading.Thread(target=bound.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield bound.url
    finally:
        bound.server.shutdown()
        thread.join()
        bound.server.server_close()


def save(store, run) -> None:
    store.save_run(run)
    for launch in run.launches:
        store.save_launch(run.run_id, launch)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A month of runs with a step in it, two of a hostile name, one under way."""
    with open_store(str(tmp_path_factory.mktemp("serve") / "results.db")) as opened:
        chance = np.random.default_rng(5)
        for day in range(30):
            level = 1_000_000 if day < 18 else 1_150_000
            shifted = tuple(
                replace(
                    launch, latency_ns=tuple(int(level / 1e6 * v * chance.normal(1, 0.004)) for v in launch.latency_ns)
                )
                for launch in launches(4, 70, day)
            )
            runtime = replace(RUN.runtime, version="2.3.0" if day < 18 else "2.4.0")
            run = replace(
                RUN, run_id=f"{day:08x}", created_unix_s=1.79e9 + 86400 * day, launches=shifted, runtime=runtime
            )
            save(opened, run)
        hostile = replace(RUN, run_id="ffff0000", device=HOSTILE, created_unix_s=1.8e9, launches=tuple(launches(4, 70)))
        save(opened, hostile)
        save(opened, replace(hostile, run_id="ffff0001", status="running", launches=tuple(launches(3, 70))))
        yield opened


@pytest.fixture(scope="module")
def url(store):
    with serving(store) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, url):
    """Open an address; at the end nothing may have been asked of anybody else, or complained of."""
    seen: list[str] = []
    contexts = []

    def call(path: str, **options):
        contexts.append(browser.new_context(**options))
        opened = contexts[-1].new_page()
        opened.on("console", lambda message: seen.append(message.text))
        opened.on("pageerror", lambda error: seen.append(str(error)))
        opened.on(
            "request", lambda request: None if request.url.startswith((url, "data:")) else seen.append(request.url)
        )
        opened.goto(url.rstrip("/") + path)
        return opened

    yield call
    for context in contexts:
        context.close()
    assert seen == []


def get(url: str, path: str, **headers: str) -> tuple[int, str, dict]:
    place = url.removeprefix("http://").partition("/")[0]
    connection = http.client.HTTPConnection(place, timeout=120)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.getheaders())
    connection.close()
    return found


def test_runs_are_listed_filtered_and_put_side_by_side(open_page):
    opened = open_page("/")
    rows = opened.locator("tbody tr")
    assert rows.count() == 32

    opened.select_option("select[name=device]", "pi5")
    opened.click("button:has-text('Filter')")
    assert rows.count() == 30

    opened.locator("tbody input").nth(0).check()
    opened.locator("tbody input").nth(29).check()
    opened.click("text=Two marked runs side by side")
    assert "the second against the first" in opened.inner_text(".verdict") or "not compared" in opened.inner_text(
        ".verdict"
    )
    assert opened.locator("tbody tr.differs").count() >= 1

    opened.click("text=Both in one report")
    assert opened.locator("section.run").count() == 2


def test_a_history_shows_its_step_and_what_changed_there(open_page):
    opened = open_page("/")

    opened.locator("tr", has_text="00000005").locator("text=history").click()

    assert opened.locator("svg .change").count() == 1
    assert "1 change of level" in opened.inner_text("main")
    step = opened.locator("tr", has_text="0000000").filter(has_text="2.3.0 → 2.4.0")
    assert opened.locator("tr", has_text="runtime's version: 2.3.0 → 2.4.0").count() == 1
    assert step.count() <= 1
    assert "+1" in opened.locator("tr", has_text="2.3.0 → 2.4.0").inner_text()


def test_what_is_being_measured_is_shown_and_goes_on_without_reloading(open_page, store):
    opened = open_page("/")
    assert "launch 3 of" in opened.inner_text("#live")

    store.save_launch("ffff0001", replace(next(iter(launches(1, 70))), index=3))

    opened.wait_for_function("() => document.getElementById('live').innerText.includes('launch 4 of')", timeout=20_000)


def test_pages_fit_a_phone_and_the_dark(open_page):
    opened = open_page("/", viewport={"width": 390, "height": 800}, color_scheme="dark")

    assert opened.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert opened.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"


def test_names_stay_text(open_page):
    from urllib.parse import urlencode

    opened = open_page(
        "/history?" + urlencode({"device": HOSTILE, "model": RUN.artifact.model, "recipe": RUN.artifact.recipe})
    )

    assert opened.locator("img").count() == 0
    assert "onerror" in opened.inner_text("h2")


def test_documents_are_those_of_the_command_line(url):
    for path in ("/api/runs?device=pi5", "/api/run?run=00000001"):
        status, text, headers = get(url, path)
        assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        jsonschema.validate(json.loads(text), schema())


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nowhere", 404, "there is nothing at /nowhere"),
        ("/../../etc/passwd", 404, "there is nothing at"),
        ("/report", 400, "no run is named"),
        ("/report?run=zzzz", 400, "unknown run: `zzzz`"),
        ("/side?run=00000001", 400, "no run is named"),
        ("/history?device=pi5", 400, "a history is of a device, a model and a recipe"),
        ("/?status=odd", 400, "unknown status: `odd`"),
        ("/?from=-5", 200, "Runs"),
        ("/?from=%F0%9F", 200, "Runs"),
    ],
)
def test_a_wrong_address_is_an_error_in_words(url, path, status, says):
    answered, text, headers = get(url, path)

    assert answered == status
    assert says in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_nothing_but_reading_is_possible_and_another_servers_name_is_refused(url):
    place = url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(place, timeout=120)
    connection.request("POST", "/", body="x")
    assert connection.getresponse().status == 501
    connection.close()

    assert get(url, "/", Host="evil.example")[0] == 421


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("::", False)]
)
def test_only_loopback_needs_no_token(host, loopback):
    assert is_loopback(host) == loopback


def test_nothing_is_shown_without_the_token(store):
    with serving(store, with_token=True) as url:
        token = url.partition("token=")[2]
        local = url.partition("?")[0]

        assert len(token) >= 32
        assert get(local, "/")[0] == 403
        assert get(local, "/api/runs")[0] == 403
        assert get(local, "/?token=wrong")[0] == 403
        status, _, headers = get(local, f"/?token={token}")
        assert status == 200
        cookie = headers["Set-Cookie"]
        assert "HttpOnly; SameSite=Strict" in cookie
        assert get(local, "/", Cookie=cookie.partition(";")[0])[0] == 200


def test_the_command_says_where_it_listens_and_ends_with_ctrl_c(cli):
    process = cli.start("serve", "--port", "0")
    line = process.stderr.readline()
    url = line.split(" at ")[1].split()[0]

    status, text, _ = get(url, "/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)

    assert (status, process.returncode) == (200, 0)
    assert "No such runs are stored" in text
    assert "Traceback" not in err
