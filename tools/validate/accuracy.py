"""A model's accuracy on a prepared dataset, and how far it agrees with the run's original."""

import math
from dataclasses import replace

import numpy as np

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Accuracy, Dataset
from edgewright.state.paired import Paired
from edgewright.state.policy import is_agreement
from edgewright.tools.benchmark.outputs import Outputs, open_index, open_outputs, run_outputs
from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.legible import legible
from edgewright.tools.orders import ValidateOrder
from edgewright.tools.targets.target import Target
from edgewright.tools.validate.agreement import agreement
from edgewright.tools.validate.answers import only
from edgewright.tools.validate.decoders import answers_of
from edgewright.tools.validate.metric import Score
from edgewright.tools.validate.metrics import require_answers
from edgewright.tools.validate.paired import compare
from edgewright.tools.workspace import Progress, Workspace


def measure_accuracy(
    artifact: Artifact,
    dataset: Dataset,
    metric: str,
    workspace: Workspace,
    target: Target,
    *,
    threads: int,
    reference_outputs: str | None = None,
    progress: Progress | None = None,
) -> Accuracy:
    """Run a model over all samples and judge its outputs.

    Args:
        artifact: The model.
        dataset: The samples and their labels.
        metric: Name of the metric.
        workspace: Where the outputs are kept.
        target: Where to run.
        threads: Intra-operator threads.
        reference_outputs: `Accuracy.outputs` of the run's original, for `agreement`.
        progress: Told how many samples are done; the workspace's own unless given.

    Raises:
        Refused: METRIC_UNKNOWN, METRIC_MISMATCH, DATA_EMPTY, MODEL_NOT_FINITE, or what `run_outputs` refuses.
        WorkerFailed: The probe ended without an answer.
    """
    data = open_dataset(dataset, workspace)
    judge = require_answers(metric, data.card)
    if dataset.n == 0:
        raise Refused.because(Code.DATA_EMPTY, "measuring accuracy", "the dataset has 0 samples", "give at least one")
    outputs = run_outputs(artifact, dataset, threads, workspace, target, progress=progress)
    _require_finite(artifact, outputs)
    answers = answers_of(open_outputs(outputs, workspace), data, workspace)
    original = None if reference_outputs is None else open_index(reference_outputs, workspace)
    other = None if original is None else answers_of(original, data, workspace)
    # Without labels the original's answers are the truth, and a baseline agrees with itself.
    labels = only(metric, other or answers) if is_agreement(metric) else data.labels
    score = judge.evaluate(answers, labels)
    _require_finite_score(artifact, metric, score)
    return Accuracy(
        artifact=artifact.sha256,
        metric=metric,
        direction=judge.direction,
        value=score.value,
        n=outputs.n,
        dataset=dataset.digest,
        preprocessing=dataset.preprocessing,
        environment=outputs.environment,
        outputs=outputs.index,
        per_class=_per_class(score, data.card),
        agreement=None if other is None else agreement(answers, other, judge.answers),
        unit=judge.unit,
        per_sample=_kept_contributions(score, workspace),
    )


def validate(order: ValidateOrder, workspace: Workspace, target: Target) -> Accuracy:
    """Measure the candidate on the data, by the metric and with the preprocessing of the baseline.

    Raises:
        Refused: DATA_MISMATCH, if the baseline was measured on other data; otherwise as `measure_accuracy`.
        WorkerFailed: The probe ended without an answer.
    """
    baseline, dataset = order.baseline, order.validation
    if (baseline.dataset, baseline.preprocessing) != (dataset.digest, dataset.preprocessing):
        raise Refused.because(
            Code.DATA_MISMATCH,
            "validating the candidate",
            f"the baseline was measured on the dataset {baseline.dataset[:12]}, and this is {dataset.digest[:12]}",
            "start a new run with this data; figures from different data cannot be compared",
            "P9",
            baseline=baseline.dataset,
            given=dataset.digest,
        )
    accuracy = measure_accuracy(
        order.candidate,
        dataset,
        baseline.metric,
        workspace,
        target,
        threads=order.threads,
        reference_outputs=baseline.outputs,
    )
    return replace(accuracy, paired=paired_with(order.reference, accuracy, workspace))


def paired_with(reference: Accuracy, accuracy: Accuracy, workspace: Workspace) -> Paired | None:
    """Compare what each sample adds to both values, where the metric says what that is."""
    if (reference.metric, reference.dataset, reference.n) != (accuracy.metric, accuracy.dataset, accuracy.n):
        return None
    if reference.per_sample is None or accuracy.per_sample is None:
        return None
    before, after = (np.load(workspace.path_of(digest)) for digest in (reference.per_sample, accuracy.per_sample))
    return compare(reference.artifact, before, after, accuracy.value)


def _require_finite(artifact: Artifact, outputs: Outputs) -> None:
    if outputs.non_finite_samples:
        raise Refused.because(
            Code.MODEL_NOT_FINITE,
            f"judging {artifact.name}",
            f"its outputs hold NaN or infinity on {outputs.non_finite_samples} of {outputs.n} samples",
            "look for an overflow in the model or a wrong preprocessing in the data card; revert a candidate",
            non_finite_samples=outputs.non_finite_samples,
            samples=outputs.n,
        )


def _require_finite_score(artifact: Artifact, metric: str, score: Score) -> None:
    if not math.isfinite(score.value):
        raise Refused.because(
            Code.MODEL_NOT_FINITE,
            f"judging {artifact.name}",
            f"its {legible(metric, 60)} comes out as {score.value}, though all its outputs are finite",
            "look for outputs or labels too large to compute with; revert a candidate",
        )


def _per_class(score: Score, card: Card) -> dict[str, float]:
    """Return the metric of each class where it is a finite number."""
    return {_class_name(card, number): value for number, value in score.per_class.items() if math.isfinite(value)}


def _kept_contributions(score: Score, workspace: Workspace) -> str | None:
    if score.per_sample is None:
        return None
    path = workspace.scratch("per-sample.npy")
    np.save(path, score.per_sample)
    return workspace.keep(path)


def _class_name(card: Card, number: int) -> str:
    return card.classes[number] if card.classes is not None and number < len(card.classes) else str(number)
