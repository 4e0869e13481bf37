"""What `agent.sh probe` prints, as the protocol's `probe`."""

from edgeprof.boards import parse_facts
from edgeprof.records import Cache
from edgeprof.remote.shellprobe import parse_probe

BOARD = """\
machine=aarch64
os.ID=debian
os.PRETTY_NAME=Debian = GNU/Linux
libc=glibc
libc_version=2.36
compatible=vendor,board
compatible=vendor,chip
serial=0001
cpu.10.index=10
cpu.2.index=2
cpu.2.online=0
cpu.2.part=0xd08
cpu.2.implementer=0x41
cpu.7.part=0xd0b
zone.11.type=gpu
zone.2.type=cpu
zone.2.temp_mc=-1500
sensor.3.rail.0.kind=power
sensor.3.rail.0.file=/sys/a
sensor.3.driver=ina226
counter.0.rail.0.kind=energy
counter.0.rail.0.file=/sys/e
counter.0.rail.0.wraps_at=262143328850
counter.0.unreadable=/sys/e
counter.0.driver=rapl
sensor.1.rail.1.kind=product
sensor.1.rail.1.file=/sys/v
sensor.1.rail.1.file=/sys/c
sensor.1.rail.0.kind=product
sensor.1.rail.0.label=VDD_IN
sensor.1.driver=ina3221
memory_total_kib=1024
uptime_s=12.5
cpu_features=fp asimd asimddp
lab.edgeprof.board=made
lab.edgeprof.invented=power,
no equals sign
"""
PHONE = """\
machine=aarch64
libc=bionic
model=ignored
android.ro.product.manufacturer=Example
android.ro.product.model=Phone 8
android.ro.board.platform=es1
android.ro.build.version.release=14
android.ro.build.version.sdk=34
android.ro.product.cpu.abi=arm64-v8a
android.ro.serialno=S1
android.thermal_status=2
android.battery.level=43
android.battery.scale=50
android.battery.temperature=271
android.battery.plugged=true
"""


def test_lines_become_what_the_protocol_lists():
    probe = parse_probe(BOARD)

    assert probe["os"] == {"ID": "debian", "PRETTY_NAME": "Debian = GNU/Linux"}
    assert probe["compatible"] == ["vendor,board", "vendor,chip"]
    assert [cpu["index"] for cpu in probe["cpus"]] == [2, 10]
    assert [cpu["online"] for cpu in probe["cpus"]] == [False, True]
    assert probe["thermal_zones"] == [{"type": "cpu", "temp_mc": -1500}, {"type": "gpu", "temp_mc": None}]
    assert probe["memory_total_bytes"] == 1 << 20
    assert probe["lab"] == {"board": "made", "ns_per_instruction": None, "invented": ["power"]}
    assert probe["virtualization"] == "qemu"
    assert "android" not in probe
    assert parse_facts(probe).cpus[0].core == "cortex-a72"


def test_rails_are_counted_as_the_native_sampler_counts_them_chips_first():
    sensors = parse_probe(BOARD)["power_sensors"]

    assert [sensor["driver"] for sensor in sensors] == ["ina3221", "ina226", "rapl"]
    assert [sensor["readable"] for sensor in sensors] == [True, True, False]
    assert [rail["label"] for rail in sensors[0]["rails"]] == ["VDD_IN", None]
    assert sensors[0]["rails"][1]["files"] == ["/sys/v", "/sys/c"]
    assert sensors[2]["rails"][0]["wraps_at"] == 262143328850


def test_a_phone_is_named_by_its_properties():
    facts = parse_facts(parse_probe(PHONE))

    assert (facts.model, facts.os, facts.os_id, facts.os_version) == ("Example Phone 8", "Android 14", "android", "14")
    assert (facts.soc, facts.abi, facts.thermal_status) == ("es1", "arm64-v8a", 2)
    assert (facts.battery_percent, facts.on_charger) == (86, True)


def test_caches_are_named_in_bytes_and_the_nearest_is_first():
    said = "cpu.0.index=0\ncpu.0.cache.L3=2048K\ncpu.0.cache.L1d=64K\ncpu.0.cache.L2=1M\ncpu.0.cache.L4=much\n"

    facts = parse_facts(parse_probe(said))

    assert [cache.text() for cache in facts.caches()] == ["L1d 64.0 KiB", "L2 1.00 MiB", "L3 2.00 MiB"]


def test_what_the_c_library_says_of_one_cores_caches_holds_for_all_only_where_all_are_of_one_kind():
    own = "own_cache.L1d=32768\nown_cache.L2=524288\n"
    alike = "cpu.0.index=0\ncpu.0.part=0xd03\ncpu.1.index=1\ncpu.1.part=0xd03\n"

    same, others = (
        parse_facts(parse_probe(own + cores)) for cores in (alike, alike.replace("1.part=0xd03", "1.part=0xd08"))
    )
    said = parse_facts(parse_probe(own + alike + "cpu.0.cache.L1d=64K\n"))

    assert [cache.text() for cache in same.caches()] == ["L1d 32.0 KiB", "L2 512 KiB"]
    assert others.caches() == ()
    assert said.caches([0]) == (Cache("L1d", 64 << 10),)
    assert said.caches() == ()  # the other core says nothing


def test_what_was_not_said_is_null():
    probe = parse_probe("")

    assert probe["libc"] == "unknown"
    assert probe["cpus"] == probe["power_sensors"] == probe["thermal_zones"] == []
    assert {probe[name] for name in ("machine", "model", "board_id", "uptime_s", "lab", "virtualization")} == {None}
