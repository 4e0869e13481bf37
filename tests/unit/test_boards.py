"""What a board says, where it differs from its target, and which runtime fits it."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgeprof.boards import (
    RELEASES,
    BoardFacts,
    Cpu,
    PowerSensor,
    Rail,
    ThermalZone,
    choose_runtime,
    differences,
    parse_facts,
    runtime_advice,
)
from edgeprof.boards.runtimes import parse_version
from edgeprof.errors import DeviceError, UsageError
from edgeprof.records import Cache
from edgeprof.targets import all_targets, load_target

# A Raspberry Pi 5 of 8 GB with 64-bit Raspberry Pi OS 12, as the agent would answer; not recorded from a board.
PROBE = {
    "machine": "aarch64",
    "kernel": "6.6.31+rpt-rpi-2712",
    "os": {"PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)", "ID": "debian", "VERSION_ID": "12"},
    "libc": "glibc",
    "libc_version": "2.36",
    "python": "3.11.2",
    "model": "Raspberry Pi 5 Model B Rev 1.0",
    "compatible": ["raspberrypi,5-model-b", "brcm,bcm2712"],
    "board_id": "0123456789abcdef",
    "cpus": [
        {
            "index": index,
            "part": "0xd0b",
            "implementer": "0x41",
            "model_name": None,
            "max_khz": 2400000,
            "capacity": 1024,
            "governor": "ondemand",
            "online": True,
        }
        for index in range(4)
    ],
    "memory_total_bytes": 8_453_000_000,
    "memory_available_bytes": 7_800_000_000,
    "disk_free_bytes": 20_000_000_000,
    "thermal_zones": [{"type": "cpu-thermal", "temp_mc": 48250}, {"type": "rp1", "temp_mc": None}],
    "power_sensors": [
        {"driver": "ina3221", "path": "/sys/x", "rails": [{"label": "VDD_IN", "kind": "product"}], "readable": False}
    ],
    "uptime_s": 120,
    "load_1min": 0.25,
    "virtualization": None,
}
FACTS = parse_facts(PROBE)
PI5 = load_target("raspberry-pi-5")


def test_a_probe_becomes_a_value():
    assert (FACTS.machine, FACTS.os_id, FACTS.os_version) == ("aarch64", "debian", "12")
    assert FACTS.os == "Debian GNU/Linux 12 (bookworm)"
    assert FACTS.cpus[3] == Cpu(3, "cortex-a76", None, 2400000, 1024, "ondemand", online=True)
    assert FACTS.thermal_zones[0] == ThermalZone("cpu-thermal", 48250)
    assert FACTS.power_sensors == (PowerSensor("ina3221", "/sys/x", (Rail("VDD_IN"),), readable=False),)
    assert (FACTS.uptime_s, FACTS.load_1min) == (120.0, 0.25)
    assert FACTS.virtualization is None


def test_a_probe_in_words_for_people():
    assert FACTS.libc_text() == "glibc 2.36"
    assert FACTS.core_summary() == "4 x cortex-a76 up to 2400 MHz"
    assert FACTS.governors() == ("ondemand",)
    assert FACTS.hottest_mc() == 48250
    assert [zone.text() for zone in FACTS.thermal_zones] == ["cpu-thermal 48.2 °C", "rp1"]
    assert FACTS.power_sensors[0].text() == "ina3221 (VDD_IN), not readable"


def test_what_a_board_does_not_say_is_none():
    nothing = parse_facts({})

    assert nothing == BoardFacts()
    assert parse_facts(dict.fromkeys(PROBE)) == nothing
    assert (nothing.libc_text(), nothing.core_summary(), nothing.hottest_mc(), nothing.userland()) == (None,) * 4
    assert (nothing.governors(), nothing.core_ranks()) == ((), ())


def test_nonsense_from_a_board_is_none_and_never_an_exception():
    wrong = {
        "machine": 7,
        "os": ["?"],
        "libc_version": 2.36,
        "compatible": "one string",
        "cpus": [3, {"part": "zz", "implementer": None, "online": "yes", "max_khz": "2400000", "index": None}],
        "memory_total_bytes": True,
        "thermal_zones": [{"temp_mc": "hot"}],
        "power_sensors": [{}],
        "load_1min": True,
    }

    facts = parse_facts(wrong)

    assert facts == BoardFacts(
        cpus=(Cpu(0),), thermal_zones=(ThermalZone("unnamed"),), power_sensors=(PowerSensor("unnamed"),)
    )
    assert facts.core_summary() == "1 x core"


def test_the_systems_name_alone_is_understood_too():
    assert parse_facts({"os": "Alpine Linux v3.19"}).os == "Alpine Linux v3.19"
    assert parse_facts({"os": {"id": "alpine", "version_id": "3.19"}}).os_id == "alpine"


@pytest.mark.parametrize(
    ("implementer", "part", "core"),
    [
        ("0x41", "0xd03", "cortex-a53"),
        ("0x41", "0xd07", "cortex-a57"),
        ("0x41", "0xd08", "cortex-a72"),
        ("0x41", "0xd0b", "cortex-a76"),
        ("0x41", "0xd42", "cortex-a78ae"),
        ("0x4e", "0x004", "carmel"),
        (0x41, 0xD08, "cortex-a72"),
        ("0x42", "0xd08", None),
        (None, None, None),
    ],
)
def test_a_part_number_names_the_core(implementer, part, core):
    facts = parse_facts({"cpus": [{"index": 0, "implementer": implementer, "part": part}]})

    assert facts.cpus[0].core == core


def test_every_core_of_a_shipped_target_has_a_part_number():
    from edgeprof.boards.cores import CORES

    arm = [target for target in all_targets() if target.architecture != "riscv64"]
    assert {group.core for target in arm for group in target.cpu} <= set(CORES.values())


def test_big_and_little_cores_are_ranked_by_capacity_and_else_by_clock():
    little = [Cpu(i, "cortex-a53", max_khz=1_800_000, capacity=400) for i in range(4)]
    big = [Cpu(i, "cortex-a72", max_khz=1_500_000, capacity=1024) for i in (4, 5)]

    with_capacity = BoardFacts(cpus=(*little, *big))
    without = BoardFacts(cpus=(*little, replace(big[0], capacity=None)))

    assert with_capacity.core_ranks()[3:5] == ((3, 400), (4, 1024))
    assert without.core_ranks()[3:5] == ((3, 1_800_000), (4, 1_500_000))
    assert with_capacity.core_summary() == "4 x cortex-a53 up to 1800 MHz, 2 x cortex-a72 up to 1500 MHz"


def test_cores_that_are_off_do_not_count():
    facts = BoardFacts(cpus=(Cpu(0, governor="a", online=True), Cpu(1, governor="b", online=False), Cpu(2)))

    assert facts.core_ranks() == ((0, None), (2, None))
    assert facts.governors() == ("a",)


def test_cores_of_two_kinds_have_in_common_what_the_smaller_holds():
    big = (Cache("L1d", 64 << 10), Cache("L2", 512 << 10), Cache("L3", 3 << 20))
    little = (Cache("L1d", 32 << 10), Cache("L2", 128 << 10), Cache("L3", 3 << 20))
    facts = BoardFacts(cpus=(Cpu(0, caches=little), Cpu(1, caches=big), Cpu(2, online=False)))

    assert facts.caches() == little
    assert facts.caches([1]) == big
    assert facts.caches([1, 2]) == big
    assert BoardFacts(cpus=(Cpu(0, caches=little), Cpu(1, caches=big[:1]))).caches() == little[:1]
    assert BoardFacts(cpus=(Cpu(0), Cpu(1, caches=big))).caches() == ()


def test_caches_that_are_nonsense_are_not_known():
    (cpu,) = parse_facts({"cpus": [{"caches": {"L1d": "64K", "L2": -1, "L1i": 65536, "LX": 3, "L3": True}}]}).cpus

    assert cpu.caches == ()


def test_a_board_that_agrees_with_its_target_differs_in_nothing():
    assert differences(FACTS, PI5) == ()


def test_nothing_differs_where_nothing_is_said():
    assert differences(BoardFacts(), PI5) == ()
    assert differences(FACTS, load_target("linux-aarch64")) == ()


@pytest.mark.parametrize(
    ("changed", "field", "expected", "found", "note"),
    [
        (
            {"compatible": ("raspberrypi,4-model-b",), "model": "Raspberry Pi 4 Model B Rev 1.4"},
            "model",
            "Raspberry Pi 5",
            "Raspberry Pi 4 Model B Rev 1.4",
            "is it another kind of board? `edgeprof target list` shows all",
        ),
        (
            {"os_id": "raspbian"},
            "architecture",
            "aarch64",
            "armv7l",
            "a 32-bit system on 64-bit cores is slower, and `litert` does not run on it",
        ),
        ({"machine": "x86_64"}, "architecture", "aarch64", "x86_64", ""),
        ({"machine": "riscv64"}, "architecture", "aarch64", "riscv64", ""),
        ({"cpus": FACTS.cpus[:2]}, "core_count", "4", "2", "a power mode or `maxcpus=` may hold cores back"),
        (
            {"cpus": tuple(replace(cpu, core="cortex-a53") for cpu in FACTS.cpus)},
            "core",
            "4 x cortex-a76",
            "4 x cortex-a53",
            "the board is not what its target says, or it is emulated",
        ),
        (
            {"memory_total_bytes": 5 * 2**30},
            "memory",
            "1024, 2048, 4096, 8192, 16384 MiB",
            "5120 MiB",
            "`gpu_mem=`, `mem=` or a container may limit it",
        ),
        (
            {"cpus": tuple(replace(cpu, max_khz=2_800_000) for cpu in FACTS.cpus)},
            "max_frequency",
            "2400 MHz",
            "2800 MHz",
            "a power mode, an older revision of the board or overclocking",
        ),
        (
            {"aes_instructions": False},
            "aes_instructions",
            "yes",
            "no",
            "the board is not what its target says, or it is emulated",
        ),
    ],
)
def test_each_difference_is_found_alone_and_explained(changed, field, expected, found, note):
    differing = differences(replace(FACTS, **changed), PI5)

    assert [(d.field, d.expected, d.found, d.note) for d in differing] == [(field, expected, found, note)]


def test_a_32_bit_system_may_keep_silent_about_aes():
    narrow = replace(FACTS, os_id="raspbian", aes_instructions=False)

    assert [difference.field for difference in differences(narrow, PI5)] == ["architecture"]


def test_aes_instructions_are_known_where_features_are():
    assert parse_facts({"cpu_features": ["fp", "asimd"]}).aes_instructions is False
    assert parse_facts({"cpu_features": ["fp", "asimd", "aes"]}).aes_instructions is True
    assert parse_facts({"cpu_features": []}).aes_instructions is None


@pytest.mark.parametrize(("mib", "fits"), [(416, True), (512, True), (384, True), (383, False), (513, False)])
def test_kernel_and_gpu_may_keep_up_to_a_quarter_of_the_memory(mib, fits):
    zero = load_target("raspberry-pi-zero-2-w")

    assert (differences(BoardFacts(memory_total_bytes=mib * 2**20), zero) == ()) is fits


def test_a_clock_may_lie_a_percent_beside_the_round_figure():
    nano = load_target("jetson-nano")

    assert differences(BoardFacts(cpus=(Cpu(0, max_khz=1_479_000),) * 4), nano) == ()
    assert differences(BoardFacts(cpus=(Cpu(0, max_khz=1_430_000),) * 4), nano)[0].found == "1430 MHz"


def test_a_model_alone_identifies_a_board_without_compatible_strings():
    facts = BoardFacts(model="Raspberry Pi 5 Model B Rev 1.1")

    assert differences(facts, PI5) == ()
    assert differences(BoardFacts(model="Raspberry Pi 500 Rev 1.0"), PI5)[0].field == "model"


# The table of docs/boards.md: system, its programs, and the runtime that fits or the words that say why none does.
TABLE = [
    ("debian", "10", "aarch64", None),
    ("debian", "11", "aarch64", "tflite-runtime"),
    ("debian", "12", "aarch64", "litert"),
    ("debian", "13", "aarch64", "litert"),
    ("debian", "12", "x86_64", "litert"),
    ("raspbian", "10", "armv7l", None),
    ("raspbian", "11", "armv7l", "tflite-runtime"),
    ("raspbian", "12", "armv7l", "tflite-runtime"),
    ("raspbian", "12", "aarch64", "tflite-runtime"),
    ("raspbian", "13", "armv7l", None),
    ("ubuntu", "18.04", "aarch64", None),
    ("ubuntu", "20.04", "aarch64", "tflite-runtime"),
    ("ubuntu", "22.04", "aarch64", "litert"),
    ("ubuntu", "24.04", "aarch64", "litert"),
]


@pytest.mark.parametrize(("os_id", "os_version", "machine", "runtime"), TABLE)
def test_each_known_system_gets_its_runtime_or_a_reason(os_id, os_version, machine, runtime):
    advice = runtime_advice(BoardFacts(machine=machine, os_id=os_id, os_version=os_version))

    title = RELEASES[os_id, os_version][0]
    assert advice.startswith(f"{title}: `{runtime}`: " if runtime else f"{title}: ")
    assert ("no runtime fits" in advice or "only Python 3.6" in advice) is (runtime is None)


def test_every_known_system_is_in_the_table():
    assert {(os_id, version) for os_id, version, _, _ in TABLE} == set(RELEASES)


def test_what_the_board_says_goes_before_what_its_release_came_with():
    facts = BoardFacts(
        machine="aarch64", os_id="debian", os_version="10", libc="glibc", libc_version="2.28", python="3.9.1"
    )

    assert runtime_advice(facts) == "Debian 10: `tflite-runtime`: `litert` needs glibc 2.34, the board has 2.28"


def test_the_old_numpy_of_a_32_bit_system_is_said():
    facts = BoardFacts(machine="armv7l", os_id="raspbian", os_version="11")

    assert runtime_advice(facts) == (
        "Raspberry Pi OS 11 (32-bit): `tflite-runtime`: `litert` does not exist for 32-bit Arm; the board itself must "
        "have numpy 1.23 or newer, below 2 (Debian 12 has); its own `python3-numpy` is too old"
    )
    assert "too old" not in runtime_advice(replace(facts, os_version="12"))
    assert "numpy" not in runtime_advice(replace(facts, machine="aarch64", os_id="debian"))


def test_an_unknown_system_is_advised_by_what_it_says():
    alpine = BoardFacts(machine="aarch64", os="Alpine Linux v3.19", libc="musl", python="3.11.14")

    assert runtime_advice(alpine) == (
        "Alpine Linux v3.19: the board has musl, and both runtimes need glibc; "
        "use a Debian, Ubuntu or Raspberry Pi OS image, or a Debian container on the board"
    )
    assert runtime_advice(BoardFacts()) == (
        "this board: no runtime for `unknown machine`; edgeprof has runtimes for aarch64, x86_64 and armv7l"
    )
    assert runtime_advice(BoardFacts(machine="riscv64", os_id="debian", os_version="13")) == (
        "Debian 13: no runtime yet for `riscv64`; edgeprof has runtimes for aarch64, x86_64 and armv7l"
    )


def test_litert_goes_first_with_the_preferred_python():
    choice = choose_runtime("aarch64", "glibc", (2, 36), [(3, 13), (3, 11)])

    assert (choice.name, choice.python, choice.reasons) == ("litert", (3, 13), ("glibc is 2.34 or newer",))


def test_tflite_runtime_takes_the_first_python_that_has_a_wheel():
    choice = choose_runtime("aarch64", "glibc", (2, 31), [(3, 12), (3, 7), (3, 10), (3, 9)])

    assert (choice.name, choice.python) == ("tflite-runtime", (3, 10))
    assert choice.reasons == ("`litert` needs glibc 2.34, the board has 2.31",)


def test_a_python_too_old_for_the_agent_is_never_chosen():
    assert choose_runtime("x86_64", "glibc", (2, 36), [(3, 6), (3, 9)]).python == (3, 9)


@pytest.mark.parametrize(
    ("glibc", "runtime"), [((2, 34), "litert"), ((2, 33), "tflite-runtime"), ((2, 27), "tflite-runtime")]
)
def test_the_c_librarys_version_decides_to_the_minor(glibc, runtime):
    assert choose_runtime("aarch64", "glibc", glibc, [(3, 9)]).name == runtime


def test_a_wanted_runtime_is_taken_although_the_other_fits_too():
    choice = choose_runtime("aarch64", "glibc", (2, 36), [(3, 11)], "tflite-runtime")

    assert (choice.name, choice.reasons) == ("tflite-runtime", ("asked for",))


@pytest.mark.parametrize(
    ("machine", "libc", "version", "pythons", "message", "hint"),
    [
        (
            "armv6l",
            "glibc",
            (2, 36),
            [(3, 11)],
            "no runtime for `armv6l`",
            "edgeprof has runtimes for aarch64, x86_64 and armv7l",
        ),
        (
            "riscv64",
            "glibc",
            (2, 41),
            [(3, 13)],
            "no runtime yet for `riscv64`",
            "edgeprof has runtimes for aarch64, x86_64 and armv7l",
        ),
        (
            "aarch64",
            "musl",
            None,
            [(3, 11)],
            "the board has musl, and both runtimes need glibc",
            "use a Debian, Ubuntu or Raspberry Pi OS image, or a Debian container on the board",
        ),
        (
            "armv7l",
            "bionic",
            None,
            [(3, 12)],
            "LiteRT has no library for Android on `armv7l`",
            "it has 64-bit Arm and x86",
        ),
        (
            "aarch64",
            "unknown",
            None,
            [(3, 11)],
            "the board's C library is not known",
            "`getconf GNU_LIBC_VERSION` there must say glibc 2.27 or newer",
        ),
        (
            "aarch64",
            "glibc",
            (2, 24),
            [(3, 9)],
            "the board's glibc 2.24 is too old for any runtime",
            "use a system with glibc 2.34 or newer: Debian 12, Ubuntu 22.04",
        ),
        (
            "aarch64",
            "glibc",
            (2, 27),
            [(3, 6)],
            "the board has only Python 3.6, and without one it would run `litert`; "
            "but `litert` needs glibc 2.34, the board has 2.27",
            "install one of Python 3.8 to 3.11 there",
        ),
        (
            "armv7l",
            "glibc",
            (2, 36),
            [],
            "the board has no Python 3, and without one it would run `litert`; "
            "but `litert` does not exist for 32-bit Arm",
            "install one of Python 3.8 to 3.11 there",
        ),
        (
            "aarch64",
            "glibc",
            (2, 28),
            [(3, 7)],
            "no runtime fits this board: `litert` needs glibc 2.34, the board has 2.28; "
            "`tflite-runtime` needs Python 3.8 to 3.11, the board has none of them",
            "install one of Python 3.8 to 3.11 there, or use Debian 12, Ubuntu 22.04 or newer",
        ),
        (
            "armv7l",
            "glibc",
            (2, 41),
            [(3, 13)],
            "no runtime fits this board: `litert` does not exist for 32-bit Arm; "
            "`tflite-runtime` needs Python 3.8 to 3.11, the board has none of them",
            "use Raspberry Pi OS 12 (bookworm), or a 64-bit image if its cores are 64-bit",
        ),
    ],
)
def test_a_board_that_nothing_fits_is_told_why_and_what_to_do(machine, libc, version, pythons, message, hint):
    with pytest.raises(DeviceError) as raised:
        choose_runtime(machine, libc, version, pythons)

    assert raised.value.message == message
    assert raised.value.hint == hint


def test_a_wanted_runtime_that_does_not_fit_names_the_one_that_does():
    with pytest.raises(DeviceError) as raised:
        choose_runtime("aarch64", "glibc", (2, 31), [(3, 9)], "litert")

    assert raised.value.message == "`litert` needs glibc 2.34, the board has 2.31"
    assert raised.value.hint == "`tflite-runtime` fits this board"


def test_a_wanted_runtime_that_does_not_exist_is_refused():
    with pytest.raises(UsageError) as raised:
        choose_runtime("aarch64", "glibc", (2, 36), [(3, 11)], "onnx")

    assert raised.value.message == "unknown runtime: `onnx`"
    assert raised.value.hint == "known runtimes: litert, tflite-runtime"


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.11.2", (3, 11)), ("2.36", (2, 36)), ("3", None), ("", None), (None, None), ("x.y", None)],
)
def test_a_version_is_its_major_and_minor(text, version):
    assert parse_version(text) == version


def test_the_documentation_shows_every_target_and_every_known_system():
    text = (Path(__file__).parents[2] / "docs" / "boards.md").read_text(encoding="utf-8")

    assert all(f"`{target.name}`" in text for target in all_targets())
    for title, python, glibc, _ in RELEASES.values():
        assert f"| {title} | {python[0]}.{python[1]} | {glibc[0]}.{glibc[1]} |" in text


@pytest.mark.parametrize("pythons", [[], [(3, 6)]])
def test_a_board_without_a_usable_python_runs_litert_by_the_native_agent(pythons):
    choice = choose_runtime("aarch64", "glibc", (2, 36), pythons)

    assert (choice.name, choice.python) == ("litert", None)
    assert choice.reasons[-1].endswith("the native agent runs it")


def test_without_python_there_is_no_tflite_runtime():
    with pytest.raises(DeviceError, match="`tflite-runtime` needs Python"):
        choose_runtime("aarch64", "glibc", (2, 36), [], "tflite-runtime")
