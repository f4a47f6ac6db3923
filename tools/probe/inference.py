"""Runs a model over every sample of a dataset and writes what it answers.

One sample an inference, as on a device, and never more: an activation range that is taken over a whole batch
(DynamicQuantizeLinear), or a graph that looks at its neighbours, would give other answers. Only a model with a fixed
batch gets that batch.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

import numpy as np

from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.column_writer import ColumnWriter
from edgewright.tools.probe.columns import Array
from edgewright.tools.probe.feeds import Feeding
from edgewright.tools.probe.progress import Progress
from edgewright.tools.probe.quantization import to_real
from edgewright.tools.probe.session import Session


def write_outputs(session: Session, plan: Feeding, folder: Path, progress: Progress) -> Dict[str, Any]:
    """Run all samples; return the index entries of the outputs and the count of samples with non-finite values.

    Raises:
        ProbeError: The model failed, or gave something that is no array of numbers.
    """
    names = [port.name for port in session.outputs]
    batch = plan.batch or 1
    non_finite = 0
    with ExitStack() as stack:
        writers = [stack.enter_context(ColumnWriter(folder, f"output-{number}")) for number in range(len(names))]
        for row, outputs in enumerate(_per_sample(session, plan, batch)):
            non_finite += not all(_finite(output) for output in outputs)
            try:
                for writer, output in zip(writers, outputs):
                    writer.append(output)
            except ValueError as error:
                raise ProbeError("output", str(error)) from error
            progress(row + 1, plan.n, "running samples")
        columns = {
            name: writer.finish(drop_leading_one=bool(plan.batched) and batch == 1)
            for name, writer in zip(names, writers)
        }
    return {"outputs": columns, "n": plan.n, "batch": batch, "non_finite_samples": non_finite}


def _per_sample(session: Session, plan: Feeding, batch: int) -> Iterator[List[Array]]:
    """Yield each sample's outputs: with the batch dimension for a batch of one, without it for larger ones."""
    step = batch if plan.regular else 1
    for start in range(0, plan.n, step):
        rows = list(range(start, min(start + step, plan.n)))
        # A model with a fixed batch wants it full; the repeated samples are dropped again.
        padded = rows + rows[-1:] * ((plan.batch or 0) - len(rows))
        outputs = _arrays(session, padded, plan)
        if batch == 1:
            yield outputs
            continue
        _check_batch(session, outputs, len(padded))
        for offset in range(len(rows)):
            yield [output[offset] for output in outputs]


def _arrays(session: Session, rows: Sequence[int], plan: Feeding) -> List[Array]:
    """Return the outputs, integers that stand for real numbers as those."""
    outputs = session.run(plan.feed(rows))
    for port, output in zip(session.outputs, outputs):
        if not isinstance(output, np.ndarray) or output.dtype.hasobject:
            raise ProbeError("output", f"output {port.name} is {port.dtype}, not an array of numbers")
    return [
        output if port.quantization is None else to_real(output, *port.quantization)
        for port, output in zip(session.outputs, outputs)
    ]


def _check_batch(session: Session, outputs: Sequence[Array], batch: int) -> None:
    for port, output in zip(session.outputs, outputs):
        if output.shape[:1] != (batch,):
            raise ProbeError(
                "output", f"output {port.name} has the shape {output.shape} for a batch of {batch} samples"
            )


def _finite(output: Array) -> bool:
    return not np.issubdtype(output.dtype, np.inexact) or bool(np.isfinite(output).all())
