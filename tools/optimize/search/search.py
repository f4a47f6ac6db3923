"""The search: from what is fastest towards what is accurate enough, in as few evaluations as that takes.

1. The mixes with everything in 8 bits are timed beside float32; they are the starts, looked at from the fastest on
   until one passes. From the fastest goes back to float32 what is no faster in 8 bits, measured group by group.
2. The fastest, where it fails, loses its groups, those first that cost most accuracy for the time that they save. How
   many have to go is found by interpolation between what is known to fail and what is known to pass, one evaluation a
   step: the loss is about additive in the groups' own errors, as the integer programs of HAWQ-V3 (Yao et al., ICML
   2021) and of Intel's mixed precision (arXiv 2505.13060) take it to be.
3. What was found gives groups back to 8 bits, those first that save most time for their error, while budget lasts.
4. All that passed are timed together. The fastest is the answer, and "none is faster than float32" is one too.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import monotonic

from edgewright.state.drift import RESOLUTION
from edgewright.state.evidence import Ratio
from edgewright.tools.optimize.search.judge import Judge, Judged
from edgewright.tools.optimize.search.memory import Memory
from edgewright.tools.optimize.search.mix import Mix
from edgewright.tools.optimize.search.setup import Setup

# Samples that ranking may cost, as a share of the budget, and inferences a group at least.
RANKING_SHARE, LEAST_RANKED = 0.34, 2
# Share of the time in which groups may still be timed one by one.
TIMING_SHARE = 0.3
# Part of float32's time below which a saving is none; also keeps a division from one by zero.
NO_SAVING = 1e-4


@dataclass(frozen=True)
class Budget:
    """What a search may cost.

    Attributes:
        samples: Samples that may pass through candidates, those of ranking included.
        seconds: Wall time after which nothing new is begun.
    """

    samples: int
    seconds: float


@dataclass(frozen=True)
class Tried:
    """One mix whose accuracy was looked at.

    Attributes:
        mix: What it was.
        judged: What was seen.
    """

    mix: Mix
    judged: Judged


class Search:
    """One search over the mixes of one model.

    Attributes:
        tried: What was looked at, in order.
        errors: Group to the relative squared error of the outputs with it alone in 8 bits, where it was measured.
        savings: Group to the part of float32's time that it saves in 8 bits.
        times: Mix to its time over float32's, where it was timed or estimated.
        ranked: Samples that ranking has cost.
        looked: Samples that looks have cost.
    """

    def __init__(
        self, setup: Setup, judge: Judge, memory: Memory, budget: Budget, rejected: Sequence[Mix] = ()
    ) -> None:
        """Begin.

        Args:
            setup: What to look through.
            judge: Looks at accuracy.
            memory: Knows what was found before.
            budget: What it may cost.
            rejected: What an earlier verdict turned down: a mix with as much in 8 bits does not pass either.
        """
        self._at, self._judge, self._memory, self._budget = setup, judge, memory, budget
        self._rejected = rejected
        self._began_s = monotonic()
        self.tried: list[Tried] = []
        self.errors: dict[str, float] = {}
        self.savings: dict[str, float] = {}
        self.times: dict[Mix, Ratio] = {}
        self.ranked = self.looked = 0

    def run(self) -> Tried | None:
        """Return the fastest mix found that passes; `None` where there is none, or none faster than float32."""
        starts = sorted(self._timed(self._at.mixer.starts()).items(), key=lambda item: item[1].median)
        whole = self._whole(starts)
        passing = [tried for tried in whole if tried.judged.passes]
        failed = [tried for tried in whole if not tried.judged.passes]
        # Where a slower start passes whole, a part of the fastest may still be faster.
        for tried in failed[:1] if passing else failed:
            found = None if self._exhausted else self._part(tried)
            if found is not None:
                passing.append(found)
                break
        return self._fastest(passing)

    def _whole(self, starts: Sequence[tuple[Mix, Ratio]]) -> list[Tried]:
        """Look at the starts as they are, the fastest first and without what is slower in 8 bits, until one passes."""
        tried: list[Tried] = []
        for place, (mix, ratio) in enumerate(starts):
            if self._exhausted or (tried and ratio.median >= 1):
                break
            tried.append(self._look(mix if place else self._paying(mix, ratio)))
            if tried[-1].judged.passes:
                break
        return tried

    @property
    def samples(self) -> int:
        """Samples that passed through candidates so far, those of ranking included."""
        return self._judge.overhead + self.looked + self.ranked

    @property
    def measure(self) -> str:
        """The metric that decided."""
        return self._judge.measure

    @property
    def allowed(self) -> float:
        """The largest relative drop that passed."""
        return self._judge.allowed

    @property
    def measured(self) -> bool:
        """Whether times were measured."""
        return self._at.clock.measured

    def _part(self, failed: Tried) -> Tried | None:
        """Return the fastest mix found that is part of one that failed, and passes."""
        order = self._order(failed.mix)
        found = self._least(failed.mix, order, failed)
        return found and self._given_back(found, order)

    def _paying(self, start: Mix, ratio: Ratio) -> Mix:
        """Return a start without the groups that are slower in 8 bits than in float32, if that is faster."""
        late = monotonic() - self._began_s > TIMING_SHARE * self._budget.seconds
        if not self._at.clock.measured or late or len(start.quantised) < 2:
            return start
        self._at.report("timing group by group")
        less = {name: start.without([name]) for name in sorted(start.quantised)}
        ratios = self._ratios(start, list(less.values()))
        self.savings = {name: ratio.median * (ratios[mix].median - 1) for name, mix in less.items()}
        paying = start.without([name for name, mix in less.items() if ratios[mix].faster])
        if paying in (start, Mix()):
            return start
        timed = self._timed([start, paying])
        return paying if timed[paying].median < timed[start].median else start

    def _order(self, start: Mix) -> list[str]:
        """Return the groups of a start, those first whose error is largest for the time that they save."""
        self._at.report("measuring what each group costs in accuracy")
        self.errors, names = {}, sorted(start.quantised)
        share = int(RANKING_SHARE * self._budget.samples) // len(names)
        inferences = min(max(share, LEAST_RANKED), len(self._at.reference))
        for name in names:
            alone = start.without(start.quantised - {name})
            self.errors[name] = self._memory.error(alone, inferences, partial(self._error, alone, inferences))
            self.ranked += inferences
        if not self.savings.keys() >= set(names):
            macs = {name: self._at.mixer.groups[name].macs for name in names}
            self.savings = {name: count / max(sum(macs.values()), 1) for name, count in macs.items()}
        return sorted(names, key=lambda name: -self._price(name))

    def _error(self, mix: Mix, inferences: int) -> float:
        with self._at.mixer.written(mix) as path:
            return self._at.reference.error(path, exact=self._at.exact, inferences=inferences)

    def _price(self, name: str) -> float:
        """Return the error of a group for the time that it saves."""
        return self.errors[name] / max(self.savings[name], NO_SAVING)

    def _least(self, start: Mix, order: Sequence[str], first: Tried) -> Tried | None:
        """Return the mix that passes with the fewest groups of `order` taken out of a start that does not."""
        left = [sum(self.errors[name] for name in order[count:]) for count in range(len(order) + 1)]
        fails, passes = 0, len(order)
        loss, found = first.judged.drop, None
        while passes - fails > 1 and not self._exhausted:
            count = (fails + passes) // 2
            if found is None:
                goal = left[fails] * self._judge.allowed / max(loss, self._judge.allowed)
                count = next((count for count in range(fails + 1, passes) if left[count] <= goal), passes - 1)
            tried = self._look(start.without(order[:count]))
            if tried.judged.passes:
                passes, found = count, tried
            else:
                fails, loss = count, tried.judged.drop
        return found

    def _given_back(self, found: Tried, order: Sequence[str]) -> Tried:
        """Return what was found with what it can have in 8 bits after all; one failure ends it."""
        for name in sorted(set(order) - found.mix.quantised, key=self._price):
            more = found.mix.with_group(name, self._at.mixer.groups[name])
            known = any(tried.mix.quantised <= more.quantised for tried in self.tried if not tried.judged.passes)
            if self._exhausted or self.savings[name] <= NO_SAVING or known:
                break
            tried = self._look(more)
            if not tried.judged.passes:
                break
            found = tried
        return found

    def _look(self, mix: Mix) -> Tried:
        self._at.report(f"judging with {len(mix.quantised)} of {len(self._at.mixer.groups)} groups in 8 bits")
        judged = self._memory.look(mix, partial(self._judged, mix))
        self.looked += judged.samples
        if any(other.quantised <= mix.quantised for other in self._rejected):
            judged = judged.turned_down(self._judge.allowed)
        self.tried.append(Tried(mix, judged))
        return self.tried[-1]

    def _judged(self, mix: Mix) -> Judged:
        with self._at.mixer.written(mix) as path:
            return self._judge.look(path)

    def _fastest(self, passing: Sequence[Tried]) -> Tried | None:
        """Time what passed together, and return the fastest if it is faster than float32."""
        if not passing:
            return None
        timed = self._timed([found.mix for found in passing])
        best = min(passing, key=lambda found: timed[found.mix].median)
        # The middle and not the interval: this is no verdict on times, and the benchmark that follows is one.
        return best if timed[best.mix].median < 1 - RESOLUTION else None

    def _timed(self, mixes: Sequence[Mix]) -> Mapping[Mix, Ratio]:
        self._at.report("timing against float32")
        ratios = self._ratios(Mix(), mixes)
        self.times.update(ratios)
        return ratios

    def _ratios(self, reference: Mix, mixes: Sequence[Mix]) -> Mapping[Mix, Ratio]:
        """Return the times of mixes over a reference's; that with nothing in 8 bits is the base's own file."""

        def measured() -> Mapping[Mix, Ratio]:
            with ExitStack() as stack:
                against = self._at.float32
                if reference != Mix():
                    against = stack.enter_context(self._at.mixer.written(reference))
                files = {mix: stack.enter_context(self._at.mixer.written(mix)) for mix in mixes}
                return self._at.clock.ratios(against, files)

        return self._memory.ratios(reference, mixes, measured)

    @property
    def _exhausted(self) -> bool:
        return self.samples >= self._budget.samples or monotonic() - self._began_s >= self._budget.seconds
