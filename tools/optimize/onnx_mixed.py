"""The scheme `int8_mixed`: the fastest mix of 8 bits and float32 whose accuracy passes, found by a search."""

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from pydantic import Field

from edgewright.state.errors import Code, EdgewrightError, Refused
from edgewright.tools.optimize.calibrate.candidate import Calibrated, Calibration, Choices, Samples
from edgewright.tools.optimize.calibrating import CalibrationSamples
from edgewright.tools.optimize.onnx_base import LIBRARIES, SEVEN_BITS, prepared_base, saturation, usual_choices
from edgewright.tools.optimize.scheme import Parameters, Scheme
from edgewright.tools.optimize.search.account import lines
from edgewright.tools.optimize.search.judge import Judge
from edgewright.tools.optimize.search.memory import Memory
from edgewright.tools.optimize.search.mix import Mix
from edgewright.tools.optimize.search.search import Budget, Search
from edgewright.tools.optimize.search.setup import MOST_SAMPLES, set_up
from edgewright.tools.orders import QuantizeOrder, SearchTerms
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

# Squared error of the outputs, relative to them, from which on a repair is tried before anything goes back to float32.
WORTH_REPAIR = 2e-3
# From here on the outputs are lost whatever the ranges, and a comparison of them chooses by chance: then the ranges are
# those with the least error in each tensor.
LOST = 0.3
SECONDS_A_MINUTE = 60.0


class MixedParameters(Parameters):
    """Options of `int8_mixed`."""

    evaluations: float = Field(6.0, ge=2)
    minutes: float = Field(20.0, gt=0)


class Mixed(Scheme):
    """8 bits where they pay and do no harm, float32 elsewhere."""

    option = "int8_mixed"
    optimization = "mixed"
    candidate = "an ONNX candidate"

    def __init__(self, order: QuantizeOrder, workspace: Workspace, places: Places) -> None:
        super().__init__(order, MixedParameters, LIBRARIES)
        samples = CalibrationSamples(order, workspace, self.candidate)
        if order.terms is None:
            raise EdgewrightError("a search was ordered without the terms that it goes by")
        self._terms: SearchTerms = order.terms
        self._order, self._workspace, self._places = order, workspace, places
        self._findings = samples.findings
        self._samples = Samples(samples.digest, samples.rows, samples.feeds, samples.few)
        # What a pass is: over as many samples as validation has, or over all that are judged on where those are more.
        self._pass = max(order.validation.n, min(MOST_SAMPLES, order.calibration.n if order.calibration else 0))
        self._budget = Budget(
            samples=int(float(str(self.parameters["evaluations"])) * self._pass),
            seconds=SECONDS_A_MINUTE * float(str(self.parameters["minutes"])),
        )
        self._choices = usual_choices(order.target_device)
        self.parameters = {**self.parameters, "integers": self._choices.integers.name, **samples.parameters}

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Calibrate, repair, search, and write what was found."""
        calibration = self._calibrated(prepared_base(source), source.parent)
        calibrated = calibration[1]
        setup = set_up(
            self._order,
            self._workspace,
            self._places,
            calibration=calibration,
            samples=self._samples,
            float32=source,
        )
        mixer = setup.mixer
        if not mixer.groups:
            raise Refused.because(
                Code.NOTHING_CHANGED,
                "searching for a mix of 8 bits and float32",
                "the model has no operator that computes in 8 bits",
                "choose another scheme, or package the model as it is",
                option=self.option,
            )
        judge = Judge((self._order.base, source), setup.samples, self._terms, setup.apart, self._places.host)
        rejected = [Mix(static=frozenset(names)) for names in self._terms.rejected]
        search = Search(setup, judge, self._memory(calibrated), self._budget, rejected)
        found = search.run()
        said = lines(search, found, mixer, self._pass)
        if found is None:
            self._refuse(search, said)
        mixer.write(found.mix, made)
        self.parameters = {
            **self.parameters,
            "ranges_chosen": calibrated.ranges,
            "reduce_range": calibrated.reduce_range,
            "statistics": calibrated.statistics,
            "static": sorted(found.mix.static),
            "dynamic": sorted(found.mix.dynamic),
        }
        saturating = saturation(self._choices.integers, self._order.target_device)
        bits = (SEVEN_BITS,) if calibrated.reduce_range else saturating
        return (*self._findings, *bits, *calibrated.findings, *said)

    def _memory(self, calibrated: Calibrated) -> Memory:
        subject = {
            "base": self._order.base.sha256,
            "calibration": self._samples.data,
            "rows": list(self._samples.rows),
            "ranges": [calibrated.ranges, calibrated.reduce_range, calibrated.statistics],
            "integers": self._choices.integers.name,
            "measure": [self._terms.metric, self._terms.tolerance, self._terms.threads],
            "tools": dict(self.tools),
        }
        return Memory(self._workspace, subject)

    def _calibrated(self, prepared: Path, folder: Path) -> tuple[Calibration, Calibrated]:
        """Return the model calibrated, its channels equalised where that brings its outputs closer.

        Biases are not corrected: that makes up for the rounding of every layer before, and is wrong where some of them
        stay in float32.
        """
        best = self._tried(prepared, self._choices, folder)
        if _error(best) >= WORTH_REPAIR:
            best = min(best, self._tried(prepared, replace(self._choices, equalize=True), folder), key=_error)
        choices = best[0].choices
        if _error(best) >= LOST:
            best = self._tried(prepared, replace(choices, ranges="mse", reduce_range=choices.saturates), folder)
        self.parameters = {**self.parameters, "equalize": choices.equalize}
        return best

    def _tried(self, prepared: Path, choices: Choices, folder: Path) -> tuple[Calibration, Calibrated]:
        room = folder / f"{choices.ranges}-{choices.equalize}"
        room.mkdir()
        calibration = Calibration(choices, self._samples, self._workspace, self._order.statistics, room)
        return calibration, calibration.calibrate(prepared)

    def _refuse(self, search: Search, said: tuple[str, ...]) -> NoReturn:
        passed = [tried for tried in search.tried if tried.judged.passes]
        why = (
            "what passes is no faster than float32: 8 bits bring nothing here"
            if passed
            else f"none of the {len(search.tried)} mixes that were looked at passes"
        )
        raise Refused.because(
            Code.NO_GAIN,
            "searching for a mix of 8 bits and float32",
            f"{why}; {'; '.join(said)}",
            "package the model as it is or in fp16, give more calibration samples, or a larger budget (evaluations)",
            "P3",
            tried=len(search.tried),
        )


def _error(calibrated: tuple[Calibration, Calibrated]) -> float:
    return calibrated[1].error or 0.0
