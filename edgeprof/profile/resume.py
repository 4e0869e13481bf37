"""Going on with a profile that was cut short: what of it is complete already."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeprof.devices import Device
from edgeprof.errors import UsageError
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.taking_up import earlier_pair
from edgeprof.records import Artifact, RunPlan, RunResult
from edgeprof.remote.vendor import TOOL
from edgeprof.store import Store

_BROKEN_OFF = ("interrupted", "abandoned")


@dataclass(frozen=True, slots=True)
class Earlier:
    """The session to go on with.

    Attributes:
        session: Its name.
        runs: What it completed.
        pair: Of `ab`: both runs as far as they got, in the order in which they were asked for, if it was cut short.
    """

    session: str
    runs: tuple[RunResult, ...]
    pair: tuple[RunResult, ...] = ()

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


def vendor_key(request: ProfileRequest, device: Device, artifact: Artifact, plan: RunPlan, program: Path) -> str:
    """Return the hash of a cell as a vendor's program measures it, which is no cell that our agent measured."""
    sha256 = hashlib.sha256(program.read_bytes()).hexdigest()
    return hashlib.sha256(f"{TOOL} {sha256} {cell_key(request, device, artifact, plan)}".encode()).hexdigest()


def cell_keys(request: ProfileRequest, device: Device, artifact: Artifact, plan: RunPlan) -> tuple[str, ...]:
    """Return the hashes under which a cell may be complete: as our agent measures it, or as the vendor's program does.

    The program counts only while it is named: without `--benchmark-model` somebody wants our own agent's figures.
    """
    own, program = cell_key(request, device, artifact, plan), request.setup.benchmark_model
    return (own,) if program is None else (own, vendor_key(request, device, artifact, plan, program))


def find_earlier(request: ProfileRequest, devices: Sequence[Device], store: Store) -> Earlier | None:
    """Return the newest session that measured any of these cells, with those that it completed; `None` without any.

    Raises:
        UsageError: That session is under way, or is of a pair to which nothing can be added.
    """
    cells = [cell_keys(request, device, *cell) for device in devices for cell in request.cells()]
    keys = [key for cell in cells for key in cell]
    found = [row for row in store.find_cells(keys) if row.session is not None]
    if not found or found[0].session is None:
        return None
    busy = next((row for row in found if row.session == found[0].session and row.status == "running"), None)
    if busy is not None:
        hint = "wait for it; where a host falls silent for two minutes its runs read `abandoned`, and can be taken up"
        raise UsageError(f"`{busy.host}` is measuring that session: run {busy.run_id}", hint)
    if request.verdict_only:
        ids = {row.run_id for row in found if row.session == found[0].session}
        pair = earlier_pair([store.load_run(run_id) for run_id in ids], keys)
        whole = all(run.status == "complete" for run in pair)
        return Earlier(found[0].session, *((pair,) if whole else ((), pair))) if pair else None
    complete = [row for row in found if row.session == found[0].session and row.status == "complete"]
    newest = {row.cell_sha256: row.run_id for row in reversed(complete)}
    done = (next((newest[key] for key in cell if key in newest), None) for cell in cells)
    return Earlier(found[0].session, tuple(store.load_run(run_id) for run_id in done if run_id is not None))


def find_begun(store: Store, session: str, key: str) -> RunResult | None:
    """Return the newest run of a cell that a session broke off, or `None`."""
    found = (row for row in store.find_cells([key]) if row.session == session and row.status in _BROKEN_OFF)
    row = next(found, None)
    return None if row is None else store.load_run(row.run_id)
