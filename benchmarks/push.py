"""How long a push takes against `scp`, on loopback: `python benchmarks/push.py`.

Each pair sends a fresh file of 100 MB that does not compress, once by each, in turns, both with aes128-gcm. A push
includes hashing here, hashing there and the move into place, `scp` none of these. A push goes over the connection that
is open already, as in a profile; `scp` has to make its own. With `--cold` a push makes a new one too.
"""

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing import seconds
from edgeprof.transport import Transport, connect, offered_key
from edgeprof.transport.files import push, run
from tests.sshd import Sshd, start_sshd

MB = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--mb", type=int, default=100, help="size of each file")
    parser.add_argument("--cold", action="store_true", help="connect anew for every push")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HOME"] = os.environ["EDGEPROF_CONFIG_DIR"] = str(folder)
        server = start_sshd(folder / "sshd")
        server.let_in(folder)
        try:
            measure(server, folder, args)
        finally:
            server.stop()


def measure(server: Sshd, folder: Path, args: argparse.Namespace) -> None:
    pairs, mb = args.pairs, args.mb
    offered = offered_key(server.url)
    assert offered is not None
    offered.trust(None)
    started = time.perf_counter()
    way = connect(server.url)
    connect_s = time.perf_counter() - started
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, {pairs} pairs of {mb} MB{', cold' * args.cold}"
    )
    rounds = [seconds(lambda: run(way, ("true",), 10)) for _ in range(9)]
    bare = [seconds(lambda: subprocess.run([*ssh(server, folder), "true"], check=True)) for _ in range(9)]
    print(f"connect {connect_s * 1e3:.0f} ms, a command {statistics.median(rounds) * 1e3:.1f} ms")
    print(f"`ssh true` {statistics.median(bare) * 1e3:.0f} ms")
    ratios = []
    for number in range(pairs):
        source = folder / "source"
        source.write_bytes(os.urandom(mb * MB))
        ways = {
            "edgeprof": lambda: one_push(None if args.cold else way, server, source, f"{folder}/pushed"),  # noqa: B023 - at once
            "scp": lambda: subprocess.run(scp(server, folder, source), check=True),  # noqa: B023
        }
        order = list(ways) if number % 2 else list(ways)[::-1]
        took = {name: seconds(ways[name]) for name in order}
        assert (folder / "pushed").read_bytes() == source.read_bytes()
        for name in ("pushed", "copied"):
            (folder / name).unlink()
        ratios.append(took["scp"] / took["edgeprof"])
        print(f"pair {number + 1}: edgeprof {took['edgeprof']:.3f} s, scp {took['scp']:.3f} s, ratio {ratios[-1]:.2f}")
    print(f"median ratio scp/edgeprof: {statistics.median(ratios):.2f}")
    way.close()


def one_push(way: Transport | None, server: Sshd, source: Path, dest: str) -> None:
    if way is not None:
        push(way, source, dest)
        return
    with closing(connect(server.url)) as fresh:
        push(fresh, source, dest)


def options(folder: Path) -> list[str]:
    known = f"UserKnownHostsFile={folder / 'known_hosts'}"
    return ["-F", str(folder / ".ssh" / "config"), "-o", known, "-c", "aes128-gcm@openssh.com"]


def ssh(server: Sshd, folder: Path) -> list[str]:
    return ["ssh", *options(folder), "-p", str(server.port), "127.0.0.1"]


def scp(server: Sshd, folder: Path, source: Path) -> list[str]:
    return ["scp", "-q", *options(folder), "-P", str(server.port), str(source), f"127.0.0.1:{folder}/copied"]


if __name__ == "__main__":
    main()
