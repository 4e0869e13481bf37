"""Energies of two runs: whole boards across devices, one rail and one supply on a device; else the reason."""

import json
from dataclasses import replace

import jsonschema
import pytest

from edgeprof.compare import fronts, relate, relate_energy
from edgeprof.report.document import schema
from edgeprof.report.matrix import matrix_document, print_matrix
from tests.unit.test_compare import run
from tests.unit.test_energy import trace


def with_energy(name: str, run_w: float = 3.7, device: str | None = None, recipe: str = "int8", **power):
    made = run(name, recipe=recipe, power=trace(run_w=run_w, seed=len(name) + ord(name[0]), **power))
    return made if device is None else replace(made, device=device, board_id=device)


def test_energies_of_one_rail_and_supply_compare_with_the_interval_that_both_leave():
    found = relate_energy(with_energy("a", 3.7, supply_uv=5_000_000), with_energy("b", 3.3, supply_uv=5_080_000))

    assert found.refused is None
    assert found.ratio == pytest.approx(3.3 / 3.7, rel=0.005)
    assert found.low < found.ratio < found.high


def test_trap_energy_at_another_supply_voltage_of_the_same_board():
    found = relate_energy(with_energy("a", supply_uv=3_000_000), with_energy("b", supply_uv=1_800_000))

    assert (found.ratio, found.refused) == (None, "fed with 1.80 V, the base with 3.00 V")


def test_across_devices_only_whole_boards_compare():
    whole, part = with_energy("a", device="pi5"), with_energy("b", device="nano", covers="part", rail="pmic")

    assert relate_energy(whole, with_energy("c", device="nano", supply_uv=19_000_000)).refused is None
    assert relate_energy(whole, part).refused == "pmic is a part of `nano`"
    assert relate_energy(part, whole).refused == "pmic is a part of `nano`"


def test_a_part_compares_with_itself_on_one_device_and_with_nothing_else():
    one, other = with_energy("a", covers="part", rail="pmic"), with_energy("b", covers="part", rail="pmic")

    assert relate_energy(one, other).refused is None
    assert relate_energy(one, with_energy("c")).refused == "read at VDD_IN (ina3221), the base's at pmic"


def test_an_energy_that_was_not_measured_says_so_and_two_say_nothing():
    bare = run("b", not_measured=(("energy_per_inference_uj", "no_power_sensor"),))

    assert relate_energy(with_energy("a"), bare).refused == "energy of b is not measured (no power sensor)"
    assert relate_energy(bare, bare) is None


def test_compare_shows_the_change_of_energy_or_why_there_is_none_for_people_and_as_json(capsys):
    runs = [with_energy("a", supply_uv=5_000_000), with_energy("b", 3.3, recipe="fp32", supply_uv=5_000_000)]
    runs.append(with_energy("c", 3.3, recipe="fp16", supply_uv=9_000_000))
    matrix = relate(runs)

    print_matrix(matrix, as_json=False)
    shown = capsys.readouterr().out
    document = json.loads(matrix_document(matrix, fronts(runs)))

    jsonschema.validate(document, schema())
    base, compared, refused = (item["energy"] for item in document["items"])
    assert "energy −10." in shown
    assert "energy not compared: " in shown
    assert "fed with 9.00 V, the base with 5.00 V" in shown
    assert base is None
    assert compared["ratio"] == pytest.approx(0.892, abs=0.01)
    assert (refused["ratio"], refused["refused"]) == (None, "fed with 9.00 V, the base with 5.00 V")


def test_a_run_whose_energy_is_of_another_supply_pushes_nothing_off_the_front():
    base, better = with_energy("a", 3.7, supply_uv=5_000_000), with_energy("b", 3.0, supply_uv=5_000_000)
    better = replace(better, launches=run("b", 5e5).launches)
    elsewhere = replace(better, power=replace(better.power, supply_uv=9_000_000))

    assert [len(one.dominated_by) for one in fronts([base, better])] == [1, 0]
    assert [len(one.dominated_by) for one in fronts([base, elsewhere])] == [0, 0]
