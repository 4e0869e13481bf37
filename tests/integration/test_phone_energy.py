"""Energy by a phone's battery, whose gauge follows the load that these processes really put on this machine."""

from pathlib import Path

import pytest

from edgeprof import resources
from edgeprof.compress import load_artifact
from edgeprof.devices import Device
from edgeprof.metrics import estimates
from edgeprof.power.source import PowerSource
from edgeprof.profile import ProfileRequest, battery, profile
from edgeprof.records import RunPlan
from edgeprof.store import open_store
from tests import phones

PLAN = RunPlan(looks=(1,), runs=5, rate_hz=20.0)


class Nobody:
    """Somebody who watches, and says nothing."""

    def say(self, *_told: object) -> None: ...
    def progress(self, *_told: object) -> None: ...
    def launched(self, *_told: object) -> None: ...
    def ended(self, *_told: object) -> None: ...


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that profiles a small model on a phone with a battery, and returns the run."""
    lacking = phones.missing() or phones.no_supplies()
    if lacking:
        pytest.skip(lacking)
    env = phones.server_environment()
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(battery, "_STEP_S", 3)  # no more of this machine's cores than a test may have
    gauge = phones.Gauge(tmp_path / "supplies")
    phone = phones.start_phone(phones.userland(tmp_path / "phone"), supplies=gauge.folder)
    gauge.follow(phone)
    phone.say("battery", phones.UNPLUGGED)

    def run(rail: str | None = None):
        artifact = load_artifact(resources.folder("device_agents") / "selftest.tflite")
        request = ProfileRequest((artifact,), PLAN, launches=1, source=PowerSource(rail))
        device = Device("phone", phone.url, home=str(tmp_path / "data"))
        with open_store(str(tmp_path / "results.db")) as store:
            outcome = profile(request, [device], store, Nobody())
        assert not outcome.failures, outcome.failures[0].error.message
        return outcome.runs[0]

    run.phone, run.gauge = phone, gauge
    yield run
    gauge.end()
    phone.unplug()
    phones.end_server(env)


def told(run) -> str:
    return " ".join(warning.text for warning in run.warnings if warning.code == "energy_not_measured")


def test_a_phone_on_its_battery_alone_gives_an_energy_whose_sign_and_unit_a_step_of_load_showed(measure):
    run = measure()

    found = {e.name: e for e in estimates(run)}
    if run.power is None:  # others left these processes too little of the machine for a step that is clear
        assert "no clear rise" in told(run)
        assert "other_load" in [warning.code for warning in run.warnings]
        return
    assert (run.power.rail, run.power.covers) == ("current_now (battery)", "part")
    # 180 mA idle at 3.912 V, as the gauge was told, and more while it runs: the sign was turned, the unit was µA.
    assert found["idle_power_mw"].point == pytest.approx(704, rel=0.35)
    assert found["power_mw"].low > 600
    assert found["energy_per_inference_uj"].point is not None
    assert found["power_mw"].n_samples >= 100


def test_a_faked_unplugging_is_refused_before_anything_is_measured(measure):
    measure.phone.say("battery", phones.FAKED)

    run = measure()

    assert run.power is None
    assert dict(run.not_measured)["energy_per_inference_uj"] == "battery_faked"
    assert "dumpsys battery reset" in told(run)


def test_a_phone_that_its_kernel_says_is_fed_is_refused_though_android_says_otherwise(measure):
    (measure.gauge.folder / "usb" / "online").write_text("1\n")

    run = measure()

    assert dict(run.not_measured)["energy_per_inference_uj"] == "on_charger"
    assert "adb tcpip" in told(run)


def test_a_rail_that_perfetto_counts_is_measured_though_the_phone_is_on_a_charger(measure):
    """The tests' own `perfetto`, whose rails take a constant power, made up."""
    pytest.importorskip("google.protobuf")
    phones.install_perfetto(measure.phone.programs)
    measure.phone.say("battery", phones.CHARGING)

    run = measure("VDD_MADE_UP_CPU")

    found = {e.name: e for e in estimates(run)}
    assert run.power is not None, told(run)
    assert run.power.rail == "VDD_MADE_UP_CPU (perfetto)"
    assert found["power_mw"].point == pytest.approx(512, rel=0.01)
    assert found["power_mw"].n_samples >= 100
    assert found["dynamic_energy_per_inference_uj"].not_measured == "not_above_idle"


def test_a_rail_that_perfetto_does_not_count_names_those_that_it_does(measure):
    pytest.importorskip("google.protobuf")
    phones.install_perfetto(measure.phone.programs)

    run = measure("VDD_NONE")

    assert dict(run.not_measured)["energy_per_inference_uj"] == "no_such_rail"
    assert "`VDD_MADE_UP_CPU`, `VDD_MADE_UP_GPU`" in told(run)
