"""Whether a calibration set is fit to take INT8 ranges from (P7), and which of its samples are used.

Every finding is one measured figure against one limit. Findings of severity `unfit` refuse the set, all of them at
once; a `note` only informs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgewright.state.artifacts import Format
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.prepared import PreparedData, open_dataset
from edgewright.tools.datasets.ranges import wrong_range
from edgewright.tools.datasets.repeats import repeated, shared
from edgewright.tools.legible import legible
from edgewright.tools.workspace import Workspace

# Measured with `neighbour_correlation`: 8 240 pictures of uniform or Gaussian noise, 16 to 224 pixels wide, stayed
# below 0.20 (median 0.06 at 16 pixels, 0.002 at 224), also after JPEG of quality 50 and above. 28 photographs and
# scans at three sizes lay above 0.33 (the lowest was gravel), Fashion-MNIST above 0.45, drawings of 30 crossing lines
# one pixel wide at 0.34 in the median. Of 5 438 crops of the photographs 0.2 % lay below. Noise that was smoothed or
# enlarged before is not recognised.
NOISE_CORRELATION = 0.2
# Single pictures of fog, stars or dots may lie below; a set of them does not.
NOISE_SHARE = 0.1
# Real sets hold a few repeated or blank samples; more than this and the number of samples is not what it seems.
ODD_SHARE = 0.02
# Fewer values than this are constant too often to mean anything, such as a mask or a length.
LEAST_VALUES = 16

# Fewest calibration samples by the format of the candidate (P7).
LEAST_SAMPLES = MappingProxyType({Format.TENSORRT: 500, Format.TFLITE: 200, Format.ONNX: 100})


class Severity(StrEnum):
    """What a finding does: `unfit` refuses the set, `note` informs."""

    UNFIT = "unfit"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing found about a calibration set.

    Attributes:
        kind: Stable name, such as `noise`.
        severity: Whether it refuses the set.
        sentence: What was found, with its figures, as a clause without a full stop.
        facts: The figures, for programs.
    """

    kind: str
    severity: Severity
    sentence: str
    facts: Mapping[str, object] = field(default_factory=dict)


def require_fit(
    calibration: Dataset,
    validation: Dataset,
    workspace: Workspace,
    *,
    least: int,
    wanted: int | None = None,
    candidate: str = "a candidate",
    accepted: str = "",
) -> tuple[str, ...]:
    """Return what to know about a calibration set, as sentences.

    Args:
        calibration: The set.
        validation: The validation set of the same run.
        workspace: Where both are read from.
        least: Fewest samples, by the format of the candidate: 500 for TensorRT, 200 for TFLite, 100 for ONNX.
        wanted: Number of samples that would be better still.
        candidate: What is to be calibrated, such as `an ONNX candidate`, since `least` depends on it.
        accepted: The refusal's reason, where a person accepted exactly that.

    Raises:
        Refused: CALIBRATION_UNFIT, with every finding that refuses the set.
    """
    findings = calibration_findings(
        open_dataset(calibration, workspace), open_dataset(validation, workspace), least=least, wanted=wanted
    )
    unfit = [finding for finding in findings if finding.severity is Severity.UNFIT]
    why = "; ".join(finding.sentence for finding in unfit)
    if unfit and why == accepted:
        return (f"ACCEPTED BY A PERSON: {why}", *(f.sentence for f in findings if f.severity is Severity.NOTE))
    if unfit:
        kinds = [finding.kind for finding in unfit]
        raise Refused.because(
            Code.CALIBRATION_UNFIT,
            f"calibrating {candidate} on this set",
            why,
            "give real samples like those that the model will see, none of the validation set, with the same data "
            "card; or a person accepts exactly these findings with `edgewright approve`",
            *(("P7", "P9") if "preprocessing" in kinds else ("P7",)),
            findings={finding.kind: dict(finding.facts) for finding in unfit},
        )
    return tuple(finding.sentence for finding in findings)


def calibration_findings(
    calibration: PreparedData, validation: PreparedData, *, least: int, wanted: int | None = None
) -> tuple[Finding, ...]:
    """Return everything found about a calibration set; see `require_fit`."""
    repeats = int(repeated(calibration).sum())
    found = (
        _few(calibration.n - repeats, least, wanted),
        _duplicated(calibration, repeats),
        _constant(calibration),
        _overlapping(calibration, validation),
        _noise(calibration),
        _range(calibration, validation),
        _classes(calibration.dataset, validation.dataset),
    )
    return tuple(finding for finding in found if finding is not None)


def choose_samples(calibration: Dataset, workspace: Workspace, count: int, seed: int = 0) -> tuple[int, ...]:
    """Choose samples spread evenly: over the classes where there are any, over the whole set otherwise.

    The same set, count and seed give the same samples.

    Args:
        calibration: The set.
        workspace: Where it is read from.
        count: How many; all of them where the set has fewer.
        seed: Decides which of a class are taken.

    Returns:
        Sample numbers, ascending.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(calibration.n)
    labels = open_dataset(calibration, workspace).labels
    if labels is not None and calibration.classes:
        # The first of every class, then the second of every class, and so on: any prefix is balanced.
        turn = _turns(labels.batch(0, calibration.n)[order])
        order = order[np.argsort(turn, kind="stable")]
    return tuple(sorted(order[:count].tolist()))


def _turns(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many equal elements come before each one."""
    turns = np.empty(len(classes), np.int64)
    for number in np.unique(classes):
        places = np.flatnonzero(classes == number)
        turns[places] = np.arange(len(places))
    return turns


def _few(distinct: int, least: int, wanted: int | None) -> Finding | None:
    if distinct < least:
        sentence = f"it has {distinct} different samples, and at least {least} are needed"
        return Finding("few", Severity.UNFIT, sentence, {"samples": distinct, "least": least})
    if wanted is not None and distinct < wanted:
        sentence = f"{distinct} calibration samples are enough, {wanted} would be better"
        return Finding("few", Severity.NOTE, sentence, {"samples": distinct, "wanted": wanted})
    return None


def _duplicated(calibration: PreparedData, count: int) -> Finding | None:
    pictures = " (pictures: to one grey level)" if calibration.bands is not None else ""
    sentence = f"{count} of its {calibration.n} samples repeat another one{pictures}, more than {ODD_SHARE:.0%}"
    return _odd("duplicated", sentence, count, calibration.n, ODD_SHARE)


def _constant(calibration: PreparedData) -> Finding | None:
    constant = np.ones(calibration.n, bool)
    judged = [column for column in calibration.inputs.values() if column.shapes.prod(axis=1).min() >= LEAST_VALUES]
    for column in judged:
        constant &= np.array([bool((column[row] == column[row].flat[0]).all()) for row in range(calibration.n)])
    count = int(constant.sum()) if judged else 0
    sentence = f"{count} of its {calibration.n} samples hold one value only, more than {ODD_SHARE:.0%}"
    return _odd("constant", sentence, count, calibration.n, ODD_SHARE)


def _overlapping(calibration: PreparedData, validation: PreparedData) -> Finding | None:
    count = int(shared(calibration, validation).sum())
    sentence = f"{count} of its samples are in the validation set too, which would make the accuracy look better"
    return _odd("overlapping", sentence, count, calibration.n, 0.0)


def _noise(calibration: PreparedData) -> Finding | None:
    if calibration.neighbours is None:
        return None
    judged = calibration.neighbours[~np.isnan(calibration.neighbours)]
    count = int((judged < NOISE_CORRELATION).sum())
    typical = float(np.median(judged)) if len(judged) else 0.0
    sentence = (
        f"{count} of {len(judged)} pictures look like random noise: the correlation of neighbouring pixels is below "
        f"{NOISE_CORRELATION} (median of the set {typical:.2f}, photographs have 0.9)"
    )
    return _odd("noise", sentence, count, len(judged), NOISE_SHARE)


def _range(calibration: PreparedData, validation: PreparedData) -> Finding | None:
    if calibration.dataset.preprocessing != validation.dataset.preprocessing:
        sentence = "its data card prepares samples in another way than the validation set's"
        facts = {"calibration": calibration.dataset.preprocessing, "validation": validation.dataset.preprocessing}
        return Finding("preprocessing", Severity.UNFIT, sentence, facts)
    compared = {name: wrong_range(column, validation.inputs[name]) for name, column in calibration.inputs.items()}
    wrong = {name: sentence for name, sentence in compared.items() if sentence is not None}
    if not wrong:
        return None
    said = "; ".join(f"input {legible(name, 60)} {sentence}" for name, sentence in wrong.items())
    return Finding("range", Severity.UNFIT, said, wrong)


def _classes(calibration: Dataset, validation: Dataset) -> Finding | None:
    if not calibration.classes or not validation.classes:
        return None
    expected = [name for name, count in validation.classes.items() if count]
    missing = [name for name in expected if not calibration.classes.get(name)]
    shown = ", ".join(legible(name, 40) for name in missing[:10]) + (", ..." if len(missing) > 10 else "")
    sentence = f"the calibration set covers {len(expected) - len(missing)} of the {len(expected)} classes"
    if missing:
        sentence += f"; without samples: {shown}"
    return Finding("classes", Severity.NOTE, sentence, {"missing": missing, "classes": len(expected)})


def _odd(kind: str, sentence: str, count: int, total: int, allowed_share: float) -> Finding | None:
    if count == 0 or count <= allowed_share * total:
        return None
    return Finding(kind, Severity.UNFIT, sentence, {"count": count, "samples": total})
