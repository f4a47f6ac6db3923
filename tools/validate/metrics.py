"""The metrics by name: those that come with Edgewright, and those that the operator installed.

A package adds its own through the entry point group `edgewright.metrics`: the entry's name is the metric's, the object
a `Metric` or a class of one. It is loaded in the worker, which the operator's installation decides, never an agent.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import NoReturn

from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Direction
from edgewright.state.policy import is_agreement
from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.legible import legible
from edgewright.tools.validate.agreement import AGREEMENT_OF
from edgewright.tools.validate.answers import refuse_mismatch
from edgewright.tools.validate.classification import AreaUnderCurve, MacroF1, TopK
from edgewright.tools.validate.detection import MeanAveragePrecision
from edgewright.tools.validate.metric import Metric
from edgewright.tools.validate.regression import (
    CosineAgreement,
    MeanAbsoluteError,
    RootMeanSquareError,
    pearson,
    spearman,
)
from edgewright.tools.validate.segmentation import MeanIntersectionOverUnion
from edgewright.tools.validate.transcription import TagAccuracy, character_error_rate, word_error_rate

GROUP = "edgewright.metrics"

_BUILT_IN: Mapping[str, Metric] = MappingProxyType(
    {
        "top-1": TopK(1),
        "top-5": TopK(5),
        "f1": MacroF1(),
        "auc": AreaUnderCurve(),
        "map50": MeanAveragePrecision("map50", 1),
        "map50-95": MeanAveragePrecision("map50-95", 10),
        "miou": MeanIntersectionOverUnion(),
        "rmse": RootMeanSquareError(),
        "mae": MeanAbsoluteError(),
        "cosine": CosineAgreement(),
        "pearson": pearson(),
        "spearman": spearman(),
        "cer": character_error_rate(),
        "wer": word_error_rate(),
        "tag-accuracy": TagAccuracy(),
    }
)


_ALL: Mapping[str, Metric] = MappingProxyType({**_BUILT_IN, **dict(AGREEMENT_OF.values())})


def known_metrics() -> tuple[str, ...]:
    """Return the names of all metrics, the installed ones last; none is loaded."""
    installed = sorted(name for name in entry_points(group=GROUP).names - _ALL.keys() if not is_agreement(name))
    return (*_ALL, *installed)


def metric_named(name: str) -> Metric:
    """Return a metric.

    Raises:
        Refused: METRIC_UNKNOWN, with the known ones.
    """
    if name in _ALL:
        return _ALL[name]
    if not is_agreement(name):
        for entry in entry_points(group=GROUP, name=name):
            return _loaded(entry.load(), name)
    raise Refused.because(
        Code.METRIC_UNKNOWN,
        f"the metric '{legible(name, 60)}'",
        f"the known ones are {', '.join(known_metrics())}",
        f"name one of them, or have the operator install a package with an entry point of the group `{GROUP}`",
        known=list(known_metrics()),
    )


def require_answers(name: str, card: Card) -> Metric:
    """Return a metric after it was compared with what the card's decoder gives.

    Raises:
        Refused: METRIC_UNKNOWN, or METRIC_MISMATCH where the decoder gives something else, or one is missing.
    """
    metric = metric_named(name)
    given = card.answers
    if given is not metric.answers and (given is not None or metric.answers is Answers.BOXES):
        _refuse_answers(name, metric.answers, given)
    return metric


def _refuse_answers(name: str, judged: Answers, given: Answers | None) -> NoReturn:
    kinds = ", ".join(_DECODERS.get(judged, ())) or "none: leave `decoder` out"
    refuse_mismatch(
        legible(name, 60),
        f"it judges {judged}, and the data card's decoder gives {given or 'nothing: there is none'}",
        f"name another metric or decoder; those for it are {kinds}",
        judges=str(judged),
        given=str(given),
    )


_DECODERS = MappingProxyType(
    {
        Answers.BOXES: ("yolo-v5", "yolo-v8", "ssd", "centre", "installed"),
        Answers.MAP: ("segmentation", "installed"),
        Answers.TEXT: ("ctc", "installed"),
        Answers.TAGS: ("tags", "installed"),
    }
)
_MEMBERS = MappingProxyType({"direction": Direction, "answers": Answers, "unit": str, "range": tuple})


def _loaded(found: object, name: str) -> Metric:
    metric = found() if isinstance(found, type) else found
    lacking = [member for member, kind in _MEMBERS.items() if not isinstance(getattr(metric, member, None), kind)]
    lacking += [] if callable(getattr(metric, "evaluate", None)) else ["evaluate"]
    if not lacking:
        checked: Metric = metric  # type: ignore[assignment]  # its members were just checked
        return checked
    raise Refused.because(
        Code.METRIC_UNKNOWN,
        f"the installed metric '{legible(name, 60)}'",
        f"its object lacks {', '.join(f'`{member}`' for member in lacking)}",
        "have the operator correct or remove the package that brings it",
    )
