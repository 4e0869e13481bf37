"""What watching a board costs it: the agent's sampler at ten samples a second, on this machine, beside nothing else of ours.

`python -m benchmarks.sampler [SECONDS]`; part of `make bench`.
"""

import os
import sys
import tempfile
import time

from edgeprof.devices import find_device
from edgeprof.profile.state import SAMPLE_HZ, cost_ratio, parse_samples
from edgeprof.remote import SetupOptions, connect_board

WANTED_RATIO = 0.01


def measured(seconds: float) -> float:
    """Return the share of a core that the sampler took."""
    with connect_board(find_device("local"), SetupOptions(), lambda _: None, lambda _done, _total: None) as board:
        sampler = board.agent.sampler_start(SAMPLE_HZ)
        time.sleep(seconds)
        left = board.agent.sampler_stop(sampler)
        ratio = cost_ratio(parse_samples(board.pull(left.file, left.sha256)))
    assert ratio is not None
    return ratio


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home  # a board of its own
        ratio = measured(seconds)
    print(
        f"sampler at {SAMPLE_HZ:g} Hz for {seconds:g} s: {100 * ratio:.2f} % of a core; wanted <= {100 * WANTED_RATIO:g} %"
    )


if __name__ == "__main__":
    main()
