"""`edgeprof lab` as its users know it."""

import jsonschema
import psutil
import pytest

from edgeprof.report.document import schema


@pytest.fixture
def user(lab_here, cli, tmp_path):
    """The command line of somebody whose virtual boards end with the test; all are called after it."""

    def call(*args, **env):
        return cli("lab", *args, **env)

    call.name = tmp_path.name.replace("_", "-")
    yield call
    for board in call("list", "--json").json()["items"]:
        if board["name"].startswith(call.name):
            assert call("down", board["name"]).code == 0


def mine(user) -> list[dict]:
    document = user("list", "--json").json()
    jsonschema.validate(document, schema())
    return [board for board in document["items"] if board["name"].startswith(user.name)]


def test_a_board_is_up_is_a_device_and_is_gone(user, cli):
    up = user("up", "--kind", "cortex-a72", "--name", user.name)
    board = mine(user)[0]
    probe = cli("device", "probe", user.name, "--json").json()["items"][0]["probe"]
    down = user("down", user.name)

    assert up.code == 0, up.err
    assert f"next: edgeprof profile MODEL -d {user.name}" in up.out
    assert (board["kind"], board["clock"], board["alive"]) == ("cortex-a72", "instructions", True)
    assert probe["lab"] == {"board": "cortex-a72", "ns_per_instruction": 2, "invented": []}
    assert down.out == f"ended {user.name}\n"
    assert not psutil.pid_exists(board["pid"])
    assert mine(user) == []
    assert cli("device", "probe", user.name).code == 2


def test_a_board_that_is_up_already_is_left_as_it_is(user):
    user("up", "--kind", "cortex-a72", "--name", user.name, "--clock", "wall")
    before = mine(user)

    again = user("up", "--kind", "cortex-a72", "--name", user.name, "--clock", "wall", "--json")
    other = user("up", "--kind", "cortex-a53", "--name", user.name)

    assert again.json()["items"] == before == mine(user)
    assert other.code == 2
    assert f"error: `{user.name}` is up, and is a cortex-a72 whose clock is wall" in other.err
    assert f"hint: `edgeprof lab down {user.name}` first" in other.err


def test_a_board_that_died_is_said_so_and_started_anew(user):
    user("up", "--kind", "cortex-a72", "--name", user.name)
    process = psutil.Process(mine(user)[0]["pid"])
    process.kill()
    psutil.wait_procs([process], timeout=60)

    shown = user("list")
    again = user("up", "--kind", "cortex-a72", "--name", user.name)

    assert f"gone: edgeprof lab down {user.name}" in shown.out
    assert again.code == 0, again.err
    assert mine(user)[0]["alive"]


def test_a_board_without_network_is_a_device_at_its_console(user, cli):
    up = user("up", "--kind", "serial-only", "--name", user.name)

    assert up.code == 0, up.err
    assert "it has no network, only a serial console, whose password is `edge`" in up.out
    board = mine(user)[0]
    assert board["ssh_port"] is None
    address = board["serial_url"].partition("://")[2]
    assert f"socket://edge@{address}?" in cli("device", "show", user.name, "--json").out


def test_a_name_that_is_a_device_already_is_left_to_it(user, cli):
    assert cli("device", "add", user.name, "local:").code == 0

    done = user("up", "--name", user.name)

    assert done.code == 2
    assert f"there is already a device `{user.name}`" in done.err
    assert mine(user) == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("up", "--cpu", "cortex-a67"), "did you mean `cortex-a76`?"),
        (("up", "--kind", "jetson"), "hint: kinds: cortex-a53, "),
        (("up", "--clock", "time"), "hint: instructions or wall"),
        (("up", "--kind", "raspberry-pi-3", "--clock", "instructions"), "cannot count instructions"),
        (("up", "--cpu", "cortex-a76", "--kind", "armv7"), "name the board twice"),
        (("up", "--name", "a/b"), "error: "),
        (("down",), "name a virtual board to end"),
        (("down", "nobody"), "no virtual board is called `nobody`"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_next_step(args, words, user):
    done = user(*args)

    assert done.code == 2
    assert words in done.err
    assert "hint: " in done.err


def test_without_qemu_the_packages_are_named(user, tmp_path):
    (tmp_path / "nothing").mkdir()

    done = user("up", PATH=str(tmp_path / "nothing"))

    assert done.code == 1
    assert "error: virtual boards need programs that are not installed: qemu-system-arm, qemu-utils" in done.err
    assert "apt-get install --no-install-recommends qemu-system-arm qemu-utils" in done.err


def test_kinds_are_listed_with_what_their_clock_counts(user):
    shown = user("list", "--kinds")
    document = user("list", "--kinds", "--json").json()

    jsonschema.validate(document, schema())
    names = [kind["name"] for kind in document["items"]]
    assert {"cortex-a53", "cortex-a76", "raspberry-pi-3", "jetson-nano-look-alike", "serial-only"} <= set(names)
    assert all(name in shown.out for name in names)


def test_cleaning_leaves_boards_that_are_up_alone_and_frees_the_rest(user, cli, tmp_path):
    user("up", "--kind", "cortex-a72", "--name", user.name)
    elsewhere = {"EDGEPROF_CACHE_DIR": str(tmp_path / "cache")}
    (tmp_path / "cache/lab/images").mkdir(parents=True)
    (tmp_path / "cache/lab/images/disk").write_bytes(bytes(10 << 20))

    refused = user("clean")
    cleaned = user("clean", **elsewhere)

    assert refused.code == 2
    assert "hint: end them first: `edgeprof lab down --all`" in refused.err
    assert cleaned.out == "freed 10.0 MiB\n"
    assert not (tmp_path / "cache/lab").exists()
