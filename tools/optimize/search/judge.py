"""How much accuracy a candidate loses on samples that are not the validation set's.

Those are the calibration set's: the final verdict stays with data that the search never saw. Where they have labels the
run's own metric counts, otherwise how far the candidate agrees with the model it was made from.
"""

from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from edgewright.state.artifacts import Artifact
from edgewright.state.evidence import Accuracy, Dataset, Direction
from edgewright.state.verdict import drop_of
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.datasets.subset import subset
from edgewright.tools.orders import SearchTerms
from edgewright.tools.targets.target import Target
from edgewright.tools.validate.accuracy import measure_accuracy, paired_with
from edgewright.tools.validate.agreement import AGREEMENT_OF
from edgewright.tools.validate.metrics import metric_named
from edgewright.tools.workspace import Workspace

# A hopeless candidate shows on this share of the samples.
PREFIX_SHARE, LEAST_PREFIX = 0.25, 48
# Part of the tolerance that a candidate may use up here. The one that does best on a few samples owes some of that to
# them, and does worse on others: the "winner's curse" of every choice on data (Cawley and Talbot, "On Over-fitting in
# Model Selection", JMLR 11, 2010).
MARGIN = 0.5


@dataclass(frozen=True)
class Judged:
    """What one look at a candidate showed.

    Attributes:
        drop: Relative loss against the base on the samples that were looked at; below zero where it does better.
        passes: Whether that is within what the search allows itself.
        samples: Samples looked at; fewer than there are where it was hopeless.
    """

    drop: float
    passes: bool
    samples: int

    def turned_down(self, allowed: float) -> "Judged":
        """Return it as it counts where a verdict on other samples found too much loss."""
        return replace(self, drop=max(self.drop, 2 * allowed), passes=False)


class Judge:
    """Looks at candidates, and counts what that costs.

    Attributes:
        measure: The metric that decides.
        allowed: The largest relative drop that passes here.
        overhead: Samples that measuring the base cost.
    """

    def __init__(
        self, base: tuple[Artifact, Path], samples: Dataset, terms: SearchTerms, apart: Workspace, target: Target
    ) -> None:
        """Measure the base itself.

        Args:
            base: What candidates are made from, and its file.
            samples: What to judge on, in `apart`.
            terms: What passes.
            apart: A workspace that is never settled.
            target: Where to run.
        """
        self._base, self._apart, self._target, self._terms = base[0], apart, target, terms
        labelled = open_dataset(samples, apart).labels is not None
        self.measure = terms.metric if labelled else AGREEMENT_OF[metric_named(terms.metric).answers][0]
        # Agreement counts changed answers that were wrong before too: it is a bound, and needs no margin.
        self.allowed = terms.tolerance * (MARGIN if labelled else 1.0)
        prefix = max(LEAST_PREFIX, int(PREFIX_SHARE * samples.n))
        few = [] if 2 * prefix > samples.n else [subset(samples, range(prefix), apart, apart)]
        self._sets = [*few, samples]
        self._references = [self._measured(*base, part, None) for part in self._sets]
        self.overhead = sum(part.n for part in self._sets)

    def look(self, path: Path) -> Judged:
        """Judge a candidate's file: on a few samples first, on all where these leave hope."""
        judged = Judged(inf, passes=False, samples=0)
        for part, reference in zip(self._sets, self._references, strict=True):
            accuracy = self._measured(self._base, path, part, reference.outputs)
            drop = drop_of(reference, accuracy)
            judged = Judged(drop, drop <= self.allowed, part.n)
            if self._hopeless(reference, accuracy):
                break
        return judged

    def _measured(self, base: Artifact, path: Path, part: Dataset, outputs: str | None) -> Accuracy:
        with self._apart.holding(path) as (digest,):
            return measure_accuracy(
                replace(base, sha256=digest),
                part,
                self.measure,
                self._apart,
                self._target,
                threads=self._terms.threads,
                reference_outputs=outputs,
                progress=lambda *_: None,
            )

    def _hopeless(self, reference: Accuracy, accuracy: Accuracy) -> bool:
        """Whether even the good end of the paired interval is a loss that does not pass."""
        paired = paired_with(reference, accuracy, self._apart)
        if paired is None:
            return False
        best = paired.high if accuracy.direction is Direction.HIGHER else -paired.low
        return best < -self.allowed * abs(reference.value)
