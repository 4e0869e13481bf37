"""Measuring cells: every (artifact, device, threads, cpus), launches of one device interleaved."""

from edgeprof.profile.outcome import Failure, Outcome, Watch
from edgeprof.profile.request import ProfileRequest, check
from edgeprof.profile.session import profile

__all__ = ["Failure", "Outcome", "ProfileRequest", "Watch", "check", "profile"]
