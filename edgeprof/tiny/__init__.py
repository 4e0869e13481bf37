"""MLPerf Tiny's serial protocol: the host's end, and the device's.

Source: github.com/mlcommons/tiny, benchmark/api/internally_implemented.cpp (what a firmware takes and answers) and
benchmark/runner/ (what its runner sends), commit 18d632f.
"""

from edgeprof.tiny.address import TinyAddress, is_tiny, parse_tiny
from edgeprof.tiny.dialog import Firmware, TinyDevice, Window, probe_tiny
from edgeprof.tiny.inputs import FORMS, as_answered, as_sent, as_tensor, form_of, sent_bytes
from edgeprof.tiny.responder import Responder, Runner, line_of

__all__ = [
    "FORMS",
    "Firmware",
    "Responder",
    "Runner",
    "TinyAddress",
    "TinyDevice",
    "Window",
    "as_answered",
    "as_sent",
    "as_tensor",
    "form_of",
    "is_tiny",
    "line_of",
    "parse_tiny",
    "probe_tiny",
    "sent_bytes",
]
