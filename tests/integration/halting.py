"""`edgeprof` as a program that halts where a test wants it to: `python -m tests.integration.halting PLACE NUMBER ARGS…`.

The NUMBERth call of PLACE (`module:name` or `module:Class.name`) says `halted` on standard error and waits for a line on
standard input: time for a test to kill, cut or fill something. Then it goes on as if nothing had been.
"""

import functools
import importlib
import itertools
import sys

from edgeprof.cli import main


def halt_at(place: str, number: int) -> None:
    module, _, names = place.partition(":")
    owner = importlib.import_module(module)
    *path, name = names.split(".")
    for part in path:
        owner = getattr(owner, part)
    original, calls = getattr(owner, name), itertools.count(1)

    @functools.wraps(original)
    def halting(*args, **kwargs):
        if next(calls) == number:
            sys.stderr.write("halted\n")
            sys.stderr.flush()
            sys.stdin.readline()
        return original(*args, **kwargs)

    setattr(owner, name, halting)


if __name__ == "__main__":
    halt_at(sys.argv[1], int(sys.argv[2]))
    del sys.argv[1:3]
    main()
