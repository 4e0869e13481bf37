"""Measuring cells: every (artifact, device, threads, cpus), launches of one device interleaved."""

from edgeprof.profile.boards import Job, measure, profile
from edgeprof.profile.outcome import Failure, Outcome, Watch
from edgeprof.profile.request import ProfileRequest, check

__all__ = ["Failure", "Job", "Outcome", "ProfileRequest", "Watch", "check", "measure", "profile"]
