"""A target over SSH, as a confined worker sees it: through its job's courier."""

import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from edgewright.state.codec import decode
from edgewright.state.errors import Code, Refusal, Refused, WorkerFailed
from edgewright.state.files import file_sha256
from edgewright.tools.probe.columns import Array, Column
from edgewright.tools.targets.answer import Facts, ProbeAnswer
from edgewright.tools.targets.enrolled import Enrolled
from edgewright.tools.targets.errand import Carried, Errand
from edgewright.tools.targets.host import LAST_LINES, manner
from edgewright.tools.targets.reading import read_answer
from edgewright.tools.targets.request import OUTPUTS, Index, ProbeRequest, digests_of, document, open_index
from edgewright.tools.workspace import Progress, Workspace

SANDBOX = "none (the account on the target)"


class Remote:
    """An enrolled target."""

    def __init__(self, target: Enrolled, line: socket.socket) -> None:
        """Take where it is.

        Args:
            target: The enrolled target.
            line: To the courier.
        """
        self._target = target
        self._messages = line.makefile("rwb")
        self._errands = 0
        self._excerpts: dict[tuple[str | None, int], tuple[Index, dict[str, Path]]] = {}

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        """Run the probe once, on the target; see `Target.run`."""
        index, made = self._samples(request, workspace)
        self._errands += 1
        folder = f"errand-{self._errands}"
        models = {artifact.sha256 for artifact in request.models.values()}
        files = {digest: _below(workspace, digest, made) for digest in sorted({*models, *digests_of(index)})}
        asked = document(request, index, folder, lambda digest: digest, self._target.kind)
        self._say(Errand(request=asked, folder=folder, files=files, threads=request.threads))
        carried = self._await(progress or workspace.progress)
        self._require_answer(carried)
        return read_answer(
            request,
            Path(carried.answer),
            workspace,
            sandbox=SANDBOX,
            target=self._target.alias,
            kind=self._target.kind,
        )

    def _samples(self, request: ProbeRequest[Facts], workspace: Workspace) -> tuple[Index, dict[str, Path]]:
        """Return the samples to send: all of them for outputs, otherwise those that take turns; and new files."""
        index = open_index(request, workspace)
        if request.task.name == OUTPUTS.name or _fixes_a_batch(request):
            return index, {}
        key = request.dataset, request.samples
        if key not in self._excerpts:
            self._excerpts[key] = _excerpt(index, request.samples, workspace)
        return self._excerpts[key]

    def _say(self, errand: Errand) -> None:
        self._messages.write(errand.model_dump_json().encode() + b"\n")
        self._messages.flush()

    def _await(self, progress: Progress) -> Carried:
        while raw := self._messages.readline():
            carried = Carried.model_validate_json(raw)
            if carried.progress is None:
                return carried
            progress(carried.progress.done, carried.progress.total, carried.progress.message)
        raise WorkerFailed("the courier of this job is gone")

    def _require_answer(self, carried: Carried) -> None:
        """Refuse what the target refused, and raise what broke there."""
        if carried.refusal:
            raise Refused(decode(Refusal, carried.refusal))
        if carried.trouble:
            raise WorkerFailed(carried.trouble)
        if carried.status == "limit":
            raise Refused.because(
                Code.TIME_LIMIT,
                f"measuring on {self._target.alias}",
                "the probe there passed the time limit of the job",
                "use a smaller model, fewer samples, or raise `job_seconds`",
            )
        if carried.status != 0 or not (Path(carried.answer) / "answer.json").exists():
            raise self._broken(carried)

    def _broken(self, carried: Carried) -> Exception:
        lines = carried.log.splitlines()[-LAST_LINES:]
        if lines and lines[-1].startswith(("ModuleNotFoundError", "ImportError")):
            return Refused.because(
                Code.TARGET_UNFIT,
                f"measuring on {self._target.alias}",
                f"what the probe needs is missing there: {lines[-1]}",
                f"have a person run `edgewright target check {self._target.alias}`: it says how to install it",
            )
        how = manner(carried.status) if isinstance(carried.status, int) else f"was ended ({carried.status})"
        where = self._target.alias
        return WorkerFailed("\n".join([f"the probe on {where} {how} without an answer; its last lines:", *lines]))


def _below(workspace: Workspace, digest: str, made: Mapping[str, Path]) -> str:
    """Return a file's path below the worker's folder; empty for one of the store."""
    path = made.get(digest) or workspace.path_of(digest)
    folder = workspace.folder.resolve()
    return str(path.resolve().relative_to(folder)) if path.resolve().is_relative_to(folder) else ""


def _fixes_a_batch(request: ProbeRequest[Facts]) -> bool:
    """Whether a model may take more than one sample at once, and so others than those that take turns."""
    sizes = {spec.shape[0] for model in request.models.values() for spec in model.inputs if spec.shape}
    return bool(sizes - {1, None})


def _excerpt(index: Index, count: int, workspace: Workspace) -> tuple[Index, dict[str, Path]]:
    """Return an index of the `count` samples that the probe would pick from the whole, and the files that hold them.

    The probe spreads its samples evenly over what it gets, so of an excerpt of that spread it takes every one, as long
    as they fit into its memory for samples; of larger ones it takes fewer, evenly spread over these.
    """
    columns = {
        name: Column.open(spec, lambda digest: str(workspace.path_of(digest))) for name, spec in index["inputs"].items()
    }
    n = len(next(iter(columns.values())))
    rows = [number * n // min(count, n) for number in range(min(count, n))]
    made: dict[str, Path] = {}

    def keep(values: Array) -> str:
        path = workspace.scratch("excerpt.npy")
        np.save(path, values)
        digest = file_sha256(path)
        made[digest] = path
        return digest

    inputs = {name: _chosen(index["inputs"][name], columns[name], rows, keep) for name in columns}
    return {**index, "n": len(rows), "inputs": inputs}, made


def _chosen(
    spec: Mapping[str, str], column: Column, rows: Sequence[int], keep: Callable[[Array], str]
) -> dict[str, str]:
    """Return the entry of an index for some rows of a column, whose files `keep` stores."""
    samples = [column[row] for row in rows]
    if column.regular:
        return {**spec, "values": keep(np.stack(samples))}
    shapes = np.array([sample.shape for sample in samples], dtype=np.int64)
    return {**spec, "values": keep(np.concatenate([sample.ravel() for sample in samples])), "shapes": keep(shapes)}
