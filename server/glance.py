"""A run at a glance, for people who look: the same facts in the chat's view and in a terminal."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edgewright.knowledge.stop import stop_of
from edgewright.server import state_block
from edgewright.server.acceptances import stop_figures
from edgewright.server.house import House
from edgewright.server.replies import harmless
from edgewright.state.phases import Phase
from edgewright.state.run import Run
from edgewright.tools.package.markdown import megabytes
from edgewright.tools.package.variants import Variant, told_apart, tradeoffs

UNMEASURED = state_block.UNMEASURED


@dataclass(frozen=True)
class Row:
    """One variant that was tried, in words.

    Attributes:
        name: Of its file, with its number where several are called so.
        accuracy: Its metric.
        time: Its time relative to the baseline's, with the interval.
        size: Of its file.
        verdict: On its accuracy.
        status: What became of it.
    """

    name: str
    accuracy: str
    time: str
    size: str
    verdict: str
    status: str


@dataclass(frozen=True)
class Work:
    """A job at work: what was called, what it does now, and how far it is."""

    call: str
    message: str
    done: int
    total: int


@dataclass(frozen=True)
class Glance:
    """What a person sees of a run.

    Attributes:
        run: Its handle.
        title: Model and device.
        phases: Every phase in order.
        phase: Where it stands.
        hold: What holds it, a line each, the numbers among them; empty where nothing does.
        fields: The state block.
        metric: What accuracy is here.
        caption: The floor, and where the times were taken (P6).
        rows: Every variant, the baseline first.
        work: The job at work, if any.
    """

    run: str
    title: str
    phases: tuple[str, ...]
    phase: str
    hold: tuple[str, ...]
    fields: dict[str, str]
    metric: str
    caption: str
    rows: tuple[Row, ...]
    work: Work | None

    def plain(self) -> object:
        """Return it as plain data, every string legible."""
        return harmless(asdict(self))


def glance(house: House, run: Run) -> Glance:
    """Return what there is to see of a run as it is shown today."""
    variants, stop, fields = tradeoffs(run), stop_of(run), state_block.fields(run)
    called = told_apart({variant.number: variant.artifact.name for variant in variants})
    if stop:
        del fields["blockers"]  # it is said in full
    return Glance(
        run=run.id,
        title=f"{run.started.model_name} for {run.started.target_device}",
        phases=tuple(map(str, Phase)),
        phase=str(run.phase),
        hold=(f"{stop.sentence}.", *stop_figures(stop)) if stop else (),
        fields={name: str(value) for name, value in fields.items()},
        metric=run.started.metric,
        caption=_caption(variants),
        rows=tuple(_row(variant, called[variant.number]) for variant in variants),
        work=_work(house, run),
    )


def _caption(variants: Sequence[Variant]) -> str:
    floors = {f"Floor {variant.verdict.floor:.4f}. " for variant in variants if variant.verdict}
    labels = {str(variant.latency.environment.label) for variant in variants if variant.latency}
    return f"{''.join(floors)}Times relative to the baseline's: {'; '.join(sorted(labels)) or UNMEASURED}"


def _row(variant: Variant, name: str) -> Row:
    ratio, verdict = variant.ratio, variant.verdict
    accepted = f", accepted at {variant.waiver.level}" if variant.waiver else ""
    return Row(
        name=name,
        accuracy=f"{variant.accuracy.value:.4f}" if variant.accuracy else UNMEASURED,
        time=f"{ratio.median:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else _alone(variant),
        size=f"{megabytes(variant.artifact.size_bytes)} MB",
        verdict=f"{verdict.outcome}{accepted}" if verdict else UNMEASURED,
        status=str(variant.status),
    )


def _alone(variant: Variant) -> str:
    return UNMEASURED if variant.number else "1.00x"


def _work(house: House, run: Run) -> Work | None:
    if run.job is None:
        return None
    progress = house.jobs.progress(run.job.id)
    return Work(run.job.call, progress.message, progress.done, progress.total)
