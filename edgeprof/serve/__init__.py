"""A store in a browser: read-only, on loopback unless told otherwise."""

from edgeprof.serve.server import Bound, bind

__all__ = ["Bound", "bind"]
