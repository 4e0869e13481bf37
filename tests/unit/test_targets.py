"""Kinds of board: every shipped file, and every way in which a file or a name can be wrong."""

import subprocess
import sys
from dataclasses import asdict

import pytest

from edgeprof import resources
from edgeprof.boards import parse_facts
from edgeprof.errors import UsageError
from edgeprof.remote.shellprobe import parse_probe
from edgeprof.report.boards import print_target
from edgeprof.targets import (
    ARCHITECTURES,
    all_targets,
    architecture_of,
    has_model,
    load_target,
    match,
    read_target,
    target_names,
)

BOARDS = (
    "beaglebone-ai-64",
    "beaglebone-black",
    "beagleplay",
    "coral-dev-board",
    "imx8mp-evk",
    "jetson-agx-orin",
    "jetson-agx-xavier",
    "jetson-nano",
    "jetson-orin-nano",
    "jetson-orin-nx",
    "jetson-tx1",
    "jetson-tx2",
    "jetson-xavier-nx",
    "khadas-vim3",
    "le-potato",
    "odroid-n2",
    "orange-pi-5",
    "qualcomm-rb3-gen2",
    "raspberry-pi-3-b",
    "raspberry-pi-3-b-plus",
    "raspberry-pi-4-b",
    "raspberry-pi-400",
    "raspberry-pi-5",
    "raspberry-pi-500",
    "raspberry-pi-cm4",
    "raspberry-pi-cm5",
    "raspberry-pi-zero-2-w",
    "rock-5b",
    "visionfive-2",
)
PHONES = ("oneplus-9", "pixel-6", "pixel-7", "pixel-8")
GENERIC = ("linux-aarch64", "linux-armv7", "linux-riscv64", "linux-x86-64")
SOURCE = '"https://example.org/read"'


@pytest.fixture
def broken(tmp_path):
    """Write a target's file and return what reading it raises."""

    def read(text):
        path = tmp_path / "board.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError) as raised:
            read_target(path)
        return raised.value

    return read


def test_the_shipped_targets_are_these():
    assert target_names() == tuple(sorted((*BOARDS, *PHONES, *GENERIC)))


@pytest.mark.parametrize("name", [*BOARDS, *PHONES, *GENERIC])
def test_every_fact_of_a_shipped_target_has_an_opened_source(name):
    target = load_target(name)

    sourced = {source.fact for source in target.sources}
    stated = {key for key, value in asdict(target).items() if value not in (None, ())}
    assert stated - {"name", "title", "sources"} <= sourced
    assert all(source.urls for source in target.sources)


@pytest.mark.parametrize("name", [*BOARDS, *PHONES])
def test_a_shipped_board_names_pages_and_pins_repository_files_to_a_commit(name):
    urls = [url for source in load_target(name).sources for url in source.urls]

    assert all(url.startswith("https://") for url in urls)
    blobs = [url.split("/blob/")[1].split("/")[0] for url in urls if "/blob/" in url]
    assert blobs
    assert all(len(commit) == 40 and set(commit) <= set("0123456789abcdef") for commit in blobs)


@pytest.mark.parametrize("name", BOARDS)
def test_a_shipped_board_can_be_recognised_and_says_its_cores(name):
    target = load_target(name)

    others = {"beaglebone-black": "armv7l", "visionfive-2": "riscv64"}
    assert bool(target.compatible) == (name != "beaglebone-black")
    assert target.models or target.whole_models
    assert target.core_count in {1, 2, 4, 6, 8, 12}
    assert target.architecture == others.get(name, "aarch64")
    assert not target.is_generic


@pytest.mark.parametrize("name", PHONES)
def test_a_shipped_phone_can_be_recognised_and_says_its_cores(name):
    target = load_target(name)

    assert target.whole_models
    assert not target.models
    assert target.core_count == (9 if name == "pixel-8" else 8)
    assert target.architecture == "aarch64"
    assert not target.is_generic


def test_no_string_belongs_to_two_targets():
    targets = all_targets()
    strings = [word for target in targets for word in (*target.compatible, *target.models, *target.whole_models)]

    assert len(strings) == len(set(strings))


def test_no_model_belongs_to_two_targets():
    for owner in all_targets():
        for model in owner.models:
            assert [target.name for target in all_targets() if has_model(target, model)] == [owner.name]


def test_generic_targets_cover_each_architecture_once():
    generic = [target for target in all_targets() if target.is_generic]

    assert sorted(target.architecture for target in generic) == sorted(ARCHITECTURES)


def test_raspberry_pi_5_reads_as_its_file_says():
    target = load_target("raspberry-pi-5")

    assert (target.title, target.soc, target.max_mhz) == ("Raspberry Pi 5", "BCM2712", 2400)
    assert (target.cpu[0].core, target.cpu[0].count) == ("cortex-a76", 4)
    assert target.memory_mib == (1024, 2048, 4096, 8192, 16384)
    assert target.aes_instructions is True


def test_a_fact_that_nobody_could_open_is_left_out_and_none():
    target = load_target("jetson-orin-nano")

    assert target.max_mhz is None
    assert target.aes_instructions is None
    assert target.memory_mib == ()
    assert load_target("linux-armv7").core_count is None


def test_a_fact_that_nobody_could_open_is_shown_as_unknown(capsys):
    print_target(load_target("orange-pi-5"), as_json=False)

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["supply_uv", "unknown", "no", "source", "found"] in rows
    assert ["memory_mib", "unknown", "no", "source", "found"] in rows
    assert not any(row[:2] == ["soc", "unknown"] for row in rows)


@pytest.mark.parametrize("name", ["visionfive-2", "linux-riscv64"])
def test_a_board_of_an_architecture_without_a_runtime_is_shown_so(name, capsys):
    print_target(load_target(name), as_json=False)

    assert "no runtime yet for `riscv64`" in " ".join(capsys.readouterr().out.split())


def test_a_board_that_has_a_runtime_is_shown_without_a_word_on_it(capsys):
    print_target(load_target("rock-5b"), as_json=False)

    assert "no runtime" not in " ".join(capsys.readouterr().out.split())


def test_unknown_target_suggests_the_nearest():
    with pytest.raises(UsageError) as raised:
        load_target("raspbery-pi-5")

    assert raised.value.message == "unknown target: `raspbery-pi-5`"
    assert raised.value.hint == "did you mean `raspberry-pi-5`? `edgeprof target list` shows all"
    assert raised.value.exit_code == 2


def test_unknown_target_far_from_all_suggests_none():
    with pytest.raises(UsageError) as raised:
        load_target("zzz")

    assert raised.value.hint == "`edgeprof target list` shows all"


def test_a_path_is_not_a_target():
    with pytest.raises(UsageError, match=r"unknown target: `\.\./targets/raspberry-pi-5`"):
        load_target("../targets/raspberry-pi-5")


def test_loading_one_target_reads_no_other(tmp_path, monkeypatch):
    (tmp_path / "good.toml").write_text('title = "Good"\n')
    (tmp_path / "bad.toml").write_text("title = \n")
    monkeypatch.setattr(resources, "folder", lambda _: tmp_path)

    target = load_target("good")

    assert target.title == "Good"
    with pytest.raises(UsageError, match=r"targets/bad\.toml is not valid TOML"):
        all_targets()


@pytest.mark.parametrize(
    ("compatible", "name"),
    [
        (["raspberrypi,5-model-b", "brcm,bcm2712"], "raspberry-pi-5"),
        (["raspberrypi,4-model-b", "brcm,bcm2711"], "raspberry-pi-4-b"),
        (["raspberrypi,3-model-b-plus", "brcm,bcm2837"], "raspberry-pi-3-b-plus"),
        (["raspberrypi,model-zero-2-w", "brcm,bcm2837"], "raspberry-pi-zero-2-w"),
        (["nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"], "jetson-orin-nano"),
        (["nvidia,p3509-0000+p3668-0001", "nvidia,tegra194"], "jetson-xavier-nx"),
        (["nvidia,p3541-0000", "nvidia,p3450-0000", "nvidia,tegra210"], "jetson-nano"),
        (["raspberrypi,3-model-b", "brcm,bcm2837"], "raspberry-pi-3-b"),
        (["raspberrypi,400", "brcm,bcm2711"], "raspberry-pi-400"),
        (["raspberrypi,4-compute-module", "brcm,bcm2711"], "raspberry-pi-cm4"),
        (["raspberrypi,500", "brcm,bcm2712"], "raspberry-pi-500"),
        (["raspberrypi,5-compute-module", "brcm,bcm2712"], "raspberry-pi-cm5"),
        (["nvidia,p3737-0000+p3701-0000", "nvidia,p3701-0000", "nvidia,tegra234"], "jetson-agx-orin"),
        (["nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"], "jetson-orin-nx"),
        (["nvidia,p2972-0000", "nvidia,tegra194"], "jetson-agx-xavier"),
        (["nvidia,p2771-0000", "nvidia,tegra186"], "jetson-tx2"),
        (["nvidia,p2371-2180", "nvidia,tegra210"], "jetson-tx1"),
        (["beagle,am625-beagleplay", "ti,am625"], "beagleplay"),
        (["beagle,j721e-beagleboneai64", "ti,j721e"], "beaglebone-ai-64"),
        (["radxa,rock-5b", "rockchip,rk3588"], "rock-5b"),
        (["xunlong,orangepi-5", "rockchip,rk3588s"], "orange-pi-5"),
        (["google,imx8mq-phanbell", "fsl,imx8mq"], "coral-dev-board"),
        (["fsl,imx8mp-evk", "fsl,imx8mp"], "imx8mp-evk"),
        (["khadas,vim3", "amlogic,a311d", "amlogic,g12b"], "khadas-vim3"),
        (["hardkernel,odroid-n2", "amlogic,g12b"], "odroid-n2"),
        (["libretech,aml-s905x-cc", "amlogic,s905x", "amlogic,meson-gxl"], "le-potato"),
        (["qcom,qcs6490-rb3gen2", "qcom,qcm6490"], "qualcomm-rb3-gen2"),
        (["starfive,visionfive-2-v1.3b", "starfive,jh7110"], "visionfive-2"),
        (["google,gs101-oriole", "google,gs101"], "pixel-6"),
    ],
)
def test_a_board_is_matched_by_its_device_tree(compatible, name):
    assert match("aarch64", compatible).name == name


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", "raspberry-pi-5"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "raspberry-pi-3-b-plus"),
        ("NVIDIA Jetson Nano 2GB Developer Kit", "jetson-nano"),
        ("Raspberry Pi 3 Model B Rev 1.2", "raspberry-pi-3-b"),
        ("Raspberry Pi 400 Rev 1.0", "raspberry-pi-400"),
        ("Raspberry Pi 500 Rev 1.0", "raspberry-pi-500"),
        ("Raspberry Pi Compute Module 4 Rev 1.0", "raspberry-pi-cm4"),
        ("Raspberry Pi Compute Module 4S Rev 1.0", "linux-aarch64"),
        ("Raspberry Pi Compute Module 5 Lite Rev 1.0", "raspberry-pi-cm5"),
        ("Radxa ROCK 5B", "rock-5b"),
    ],
)
def test_a_board_that_gives_no_compatible_strings_is_matched_by_its_model(model, name):
    assert match("aarch64", (), model).name == name


@pytest.mark.parametrize(
    ("model", "name"),
    [("TI AM335x BeagleBone Black", "beaglebone-black"), ("TI AM335x BeagleBone Green", "linux-armv7")],
)
def test_a_beaglebone_black_is_matched_by_its_model_because_others_carry_its_string_too(model, name):
    assert match("armv7l", ["ti,am335x-bone-black", "ti,am335x-bone", "ti,am33xx"], model).name == name


@pytest.mark.parametrize(
    ("maker", "model", "name"),
    [
        ("Google", "Pixel 6", "pixel-6"),
        ("Google", "Pixel 7", "pixel-7"),
        ("Google", "Pixel 8", "pixel-8"),
        ("OnePlus", "LE2115", "oneplus-9"),
        ("Google", "Pixel 6 Pro", "linux-aarch64"),
        ("Google", "Pixel 8a", "linux-aarch64"),
    ],
)
def test_a_phone_is_matched_by_what_android_says(maker, model, name):
    said = f"machine=aarch64\nandroid.ro.product.manufacturer={maker}\nandroid.ro.product.model={model}\n"
    facts = parse_facts(parse_probe(said))

    assert match(facts.machine, facts.compatible, facts.model).name == name


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Xunlong Orange Pi 5", "orange-pi-5"),
        ("Xunlong Orange Pi 5 Plus", "linux-aarch64"),
        ("Libre Computer AML-S905X-CC V2", "linux-aarch64"),
    ],
)
def test_a_model_that_goes_on_is_another_kind_where_the_target_says_the_whole(model, name):
    assert match("aarch64", (), model).name == name


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("aarch64", "linux-aarch64"),
        ("armv7l", "linux-armv7"),
        ("riscv64", "linux-riscv64"),
        ("x86_64", "linux-x86-64"),
    ],
)
def test_an_unknown_board_is_matched_by_its_architecture(machine, name):
    assert match(machine, ["acme,board"], "Acme Board").name == name


def test_nothing_matches_an_architecture_that_edgeprof_does_not_know():
    assert match("mips") is None
    assert match(None) is None


def test_a_model_matches_in_whole_words_only():
    pi5 = load_target("raspberry-pi-5")

    assert has_model(pi5, "Raspberry Pi 5 Model B Rev 1.1")
    assert not has_model(pi5, "Raspberry Pi 500 Rev 1.0")
    assert not has_model(pi5, None)


@pytest.mark.parametrize(
    ("machine", "architecture"),
    [("arm64", "aarch64"), ("AMD64", "x86_64"), ("armv8l", "armv7l"), ("armv6l", None), (None, None)],
)
def test_other_words_for_an_architecture_are_understood(machine, architecture):
    assert architecture_of(machine) == architecture


def test_an_unknown_key_is_refused_with_the_known_ones(broken):
    error = broken('title = "B"\nmemroy_mib = [512]\n')

    assert error.message == "unknown key in targets/board.toml: `memroy_mib`"
    assert error.hint.startswith("did you mean `memory_mib`? known keys: title, vendor, soc, ")


def test_a_fact_without_a_source_is_refused(broken):
    error = broken('title = "B"\nsoc = "BCM2712"\n')

    assert error.message == "targets/board.toml states `soc` without a source"
    assert error.hint == 'add `soc = "https://…"` under [sources], or leave the fact out'


def test_a_clock_needs_a_source_of_its_own(broken):
    text = f'title = "B"\ncpu = [{{ core = "a", count = 4, max_mhz = 1000 }}]\n[sources]\ncpu = {SOURCE}\n'

    assert broken(text).message == "targets/board.toml states `max_mhz` without a source"


def test_a_source_without_a_fact_is_refused(broken):
    error = broken(f'title = "B"\n[sources]\nsoc = {SOURCE}\n')

    assert error.message == "targets/board.toml has a source for `soc`, which it does not state"
    assert error.hint == "remove it"


@pytest.mark.parametrize("source", ['"heard it somewhere"', "[]", "[7]", '"http://example.org"'])
def test_a_source_that_is_no_address_is_refused(broken, source):
    error = broken(f'title = "B"\nsoc = "X"\n[sources]\nsoc = {source}\n')

    assert error.message.startswith("the source of `soc` in targets/board.toml is not an address: ")
    assert error.hint == "a source is the https address that was opened, or a list of them"


def test_a_source_of_an_unknown_fact_is_refused(broken):
    error = broken(f'title = "B"\n[sources]\nsco = {SOURCE}\n')

    assert error.message == "unknown key in `sources` of targets/board.toml: `sco`"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("title = 7", "`title` in targets/board.toml must be a text, not 7"),
        ("supply_uv = 5.1", "`supply_uv` in targets/board.toml must be a whole number, not 5.1"),
        ("supply_uv = true", "`supply_uv` in targets/board.toml must be a whole number, not True"),
        ("aes_instructions = 1", "`aes_instructions` in targets/board.toml must be true or false, not 1"),
        ("memory_mib = 512", "`memory_mib` in targets/board.toml must be a list of whole numbers, not 512"),
        ("models = [1]", "`models` in targets/board.toml must be a list of texts, not [1]"),
        ("cpu = 4", "`cpu` in targets/board.toml must be a list of tables, not 4"),
        ("sources = 4", "`sources` in targets/board.toml must be a table, not 4"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(broken, line, message):
    text = line if line.startswith("title") else f'title = "B"\n{line}'

    error = broken(f"{text}\n")

    assert error.message == message
    assert error.hint == "mend that line"


@pytest.mark.parametrize(
    "group", ['{ core = "a" }', "{ count = 4 }", '{ core = "a", count = "4" }', '{ core = "a", count = 0 }']
)
def test_a_core_group_that_cannot_be_read_shows_how_to_write_one(broken, group):
    error = broken(f'title = "B"\ncpu = [{group}]\n[sources]\ncpu = {SOURCE}\n')

    assert error.message.startswith("`cpu` in targets/board.toml cannot be read: ")
    assert error.hint == 'write { core = "cortex-a76", count = 4, max_mhz = 2400 }; max_mhz may be left out'


def test_an_unknown_key_of_a_core_group_is_refused(broken):
    error = broken('title = "B"\ncpu = [{ core = "a", count = 4, max_ghz = 1 }]\n')

    assert error.message == "unknown key in `cpu` of targets/board.toml: `max_ghz`"
    assert error.hint == "did you mean `max_mhz`? known keys: core, count, max_mhz"


def test_an_unknown_architecture_is_refused(broken):
    error = broken(f'title = "B"\narchitecture = "mips"\n[sources]\narchitecture = {SOURCE}\n')

    assert error.message == "unknown architecture in targets/board.toml: `mips`"
    assert error.hint == "known architectures: aarch64, armv7l, riscv64, x86_64"


def test_a_target_without_a_title_is_refused(broken):
    error = broken("soc = 'X'\n")

    assert error.message == "targets/board.toml has no `title`"
    assert error.hint == 'say what people call this board: title = "…"'


def test_broken_toml_names_file_line_and_column(broken):
    error = broken('title = "B"\nsoc = \n')

    assert error.message == "targets/board.toml is not valid TOML: Invalid value (at line 2, column 7)"
    assert error.hint == "mend that line"


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (
            "edgeprof.targets, edgeprof.devices",
            {"numpy", "rich", "typer", "paramiko", "sqlalchemy", "platformdirs", "difflib"},
        ),
        ("edgeprof.cli.app, edgeprof.report.boards", {"numpy", "scipy", "paramiko", "sqlalchemy"}),
        ("edgeprof.report.runlist", {"numpy", "scipy", "paramiko"}),
    ],
)
def test_commands_that_list_import_nothing_heavy(modules, heavy):
    script = f"import sys, {modules}; print(*sorted({heavy!r} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_targets_travel_beside_the_code():
    assert (resources.folder("targets") / "raspberry-pi-5.toml").is_file()
