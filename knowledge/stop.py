"""The stop: what a person needs to know of a failing verdict before anything moves again (P3)."""

from dataclasses import dataclass

from edgewright.knowledge.advise import Advice, alternatives
from edgewright.state.evidence import Direction
from edgewright.state.run import Run
from edgewright.state.verdict import Outcome, Verdict

WORST_SHOWN = 3
# What helps as well, and has to be done to the model or the data by whoever made them.
ELSEWHERE = (
    "more and more varied calibration data, in a new run",
    "quantisation-aware training or distillation, where the model is trained",
    "a smaller architecture",
)


@dataclass(frozen=True)
class ClassLoss:
    """One class of the validation set before and after.

    Attributes:
        name: Of the class.
        before: Its metric in the run's reference.
        after: Its metric in the candidate.
    """

    name: str
    before: float
    after: float


@dataclass(frozen=True)
class Stop:
    """A run on hold: nothing moves until the candidate is reverted or a person accepts it.

    Attributes:
        verdict: The failing verdict.
        run: Handle of the run.
        agreement: Share of samples with the original's answer.
        worst: The classes that lost most, the worst first.
        alternatives: What is possible here and now, once the candidate is reverted.
    """

    verdict: Verdict
    run: str
    agreement: float | None
    worst: tuple[ClassLoss, ...]
    alternatives: tuple[Advice, ...]

    @property
    def sentence(self) -> str:
        """What holds the run, and what ends that."""
        return (
            f"ON HOLD. {self.verdict.sentence}. Nothing moves until the candidate is reverted or a person accepts "
            f"exactly these numbers (`edgewright approve {self.run}`)"
        )


def stop_of(run: Run) -> Stop | None:
    """Return what holds a run; `None` where no verdict fails."""
    step = run.open_step
    verdict = run.verdict_of(step) if step else None
    if step is None or step.accuracy is None or verdict is None or verdict.outcome is Outcome.PASS:
        return None
    return Stop(verdict, run.id, step.accuracy.agreement, _worst(run), alternatives(run))


def _worst(run: Run) -> tuple[ClassLoss, ...]:
    if run.profiled is None or run.open_step is None or run.open_step.accuracy is None:
        return ()
    reference, measured = run.profiled.baseline.reference, run.open_step.accuracy
    sign = 1 if measured.direction is Direction.HIGHER else -1
    losses = [
        ClassLoss(name, before, measured.per_class[name])
        for name, before in reference.per_class.items()
        if name in measured.per_class
    ]
    lost = [loss for loss in losses if sign * (loss.before - loss.after) > 0]
    return tuple(sorted(lost, key=lambda loss: sign * (loss.after - loss.before))[:WORST_SHOWN])
