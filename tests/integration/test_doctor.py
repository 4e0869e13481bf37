"""`edgeprof doctor`: what is ready is said to be, what is not has a next step, and one fault hides no other."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from edgeprof.report.document import schema


def states(done) -> dict[str, str]:
    return {item["name"]: item["state"] for item in done.json()["items"]}


def hints(done) -> dict[str, str]:
    return {item["name"]: item["hint"] or "" for item in done.json()["items"]}


def test_a_machine_in_order_is_said_to_be(cli):
    asked = cli("doctor", "--json")
    shown = cli("doctor")

    assert asked.code == shown.code == 0
    jsonschema.validate(asked.json(), schema())
    found = states(asked)
    assert found["edgeprof"] == found["measuring here"] == found["devices"] == found["results"] == "ok"
    assert "wrong" not in found.values()
    assert "  ok      measuring here: " in shown.out
    assert f" of {len(found)} are ready" in shown.out
    assert not Path(cli.env["EDGEPROF_STORE"]).exists()


def test_what_is_not_installed_is_absent_and_says_how_to_get_it(cli, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "python3").symlink_to(sys.executable)
    for program in ("sh", "uname", "cat"):
        (bare / program).symlink_to(shutil.which(program))

    done = cli("doctor", "--json", PATH=str(bare), EDGEPROF_LABGRID_CLIENT="labgrid-client", SSH_AUTH_SOCK="")

    found, said = states(done), hints(done)
    assert {found[name] for name in ("SSH", "adb", "labgrid", "virtual boards")} == {"absent"}
    assert "ssh-keygen" in said["SSH"]
    assert "apt install adb" in said["adb"]
    assert "pipx install labgrid" in said["labgrid"]
    assert "qemu-system-arm" in said["virtual boards"]


def test_files_and_devices_that_are_broken_are_each_named(cli):
    config, store = Path(cli.env["EDGEPROF_CONFIG_DIR"]), Path(cli.env["EDGEPROF_STORE"])
    config.mkdir()
    (config / "devices.toml").write_text('[devices.bench]\nurl = "serial:///dev/no-such-port"\n')
    store.write_text("no database")

    done = cli("doctor", "-d", "bench")
    (config / "devices.toml").write_text("[devices.bench\n")
    after = cli("doctor", "--json")

    assert done.code == after.code == 1
    assert "  ok      devices: bench in " in done.out
    assert "  wrong   bench: there is no serial port `/dev/no-such-port`" in done.out
    assert "; wrong: results, bench" in done.out
    assert [name for name, state in states(after).items() if state == "wrong"] == ["devices", "results"]
    assert "not valid TOML" in next(item["text"] for item in after.json()["items"] if item["name"] == "devices")


def test_a_cache_without_room_is_wrong(cli, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = f"mount -t tmpfs -o size=64m none {small} && exec {shlex.join(cli.command('doctor'))}"
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted]

    done = subprocess.run(
        command, env={**cli.env, "EDGEPROF_CACHE_DIR": str(small)}, capture_output=True, text=True, check=False
    )

    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine lets nobody mount")
    assert done.returncode == 1
    assert f"  wrong   cache: {small}: 0 B; 64.0 MiB free" in done.stdout
    assert "hint: all of it can be made again" in done.stdout
