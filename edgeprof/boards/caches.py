"""Which caches a core has, as far as the board says; many say nothing."""

import re
from collections.abc import Mapping, Sequence

from edgeprof.records import Cache

_NAME = re.compile(r"L([1-9])d?")


def parse_caches(said: Mapping[str, object]) -> tuple[Cache, ...]:
    """Return caches by name and size, the nearest to the core first; what is no such pair is left out."""
    found = [
        (int(match[1]), Cache(name, size))
        for name, size in said.items()
        if (match := _NAME.fullmatch(name)) and type(size) is int and size > 0
    ]
    return tuple(cache for _, cache in sorted(found, key=lambda pair: pair[0]))


def common_caches(cores: Sequence[Sequence[Cache]]) -> tuple[Cache, ...]:
    """Return the caches that each of some cores has, each as small as the smallest of them, the nearest first.

    On which of its cores a thread runs nobody knows beforehand: what fits these is in a cache on any of them.
    """
    if not cores:
        return ()
    sizes = [{cache.name: cache.size_bytes for cache in caches} for caches in cores]
    names = [cache.name for cache in cores[0] if all(cache.name in one for one in sizes)]
    return tuple(Cache(name, min(one[name] for one in sizes)) for name in names)
