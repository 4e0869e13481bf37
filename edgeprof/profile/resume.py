"""Going on with a profile that was cut short: what of it is complete already."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edgeprof.devices import Device
from edgeprof.errors import UsageError
from edgeprof.profile.request import ProfileRequest
from edgeprof.records import Artifact, RunPlan, RunResult
from edgeprof.store import Store


@dataclass(frozen=True, slots=True)
class Earlier:
    """The session to go on with.

    Attributes:
        session: Its name.
        runs: What it completed.
    """

    session: str
    runs: tuple[RunResult, ...]

    def cells(self) -> frozenset[str]:
        """Return the hashes of the cells that are complete."""
        return frozenset(run.cell_sha256 for run in self.runs if run.cell_sha256 is not None)


def cell_key(request: ProfileRequest, device: Device, artifact: Artifact, plan: RunPlan) -> str:
    """Return the hash of all that a cell is: artifact, device, plan and data, and what is asked for besides."""
    references = [request.reference(artifact, evaluation) for evaluation in request.evaluations]
    whole = {
        "artifact": [artifact.sha256, artifact.model, artifact.recipe],
        "device": [device.name, device.url, device.runtime],
        "plan": asdict(plan),
        "launches": request.launches,
        "data": [[evaluation.name, evaluation.sha256] for evaluation in request.evaluations],
        "metrics": request.metrics,
        "references": [None if reference is None else reference.sha256 for reference in references],
        "runtime": request.setup.runtime,
        "asked": [
            request.per_op,
            request.per_op_by,
            request.cold,
            request.energy,
            request.verdict_only,
            request.control,
        ],
        "source": asdict(request.source),
    }
    if library := request.setup.library:
        whole["library"] = asdict(library)
    elif device.runtime_lib:
        whole["library"] = device.runtime_lib
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def find_earlier(request: ProfileRequest, devices: Sequence[Device], store: Store) -> Earlier | None:
    """Return the newest session that measured any of these cells, with those that it completed; `None` without any.

    Raises:
        UsageError: That session is under way.
    """
    keys = [cell_key(request, device, *cell) for device in devices for cell in request.cells()]
    found = [row for row in store.find_cells(keys) if row.session is not None]
    if not found or found[0].session is None:
        return None
    busy = next((row for row in found if row.session == found[0].session and row.status == "running"), None)
    if busy is not None:
        hint = "wait for it; where a host falls silent for two minutes its runs read `abandoned`, and can be taken up"
        raise UsageError(f"`{busy.host}` is measuring that session: run {busy.run_id}", hint)
    complete = [row for row in found if row.session == found[0].session and row.status == "complete"]
    newest = {row.cell_sha256: row.run_id for row in reversed(complete)}
    return Earlier(found[0].session, tuple(store.load_run(newest[key]) for key in keys if key in newest))
