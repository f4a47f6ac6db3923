"""How times changed while a long measurement went on."""

from dataclasses import dataclass

# One file timed against itself, loaded twice in one process, differs by up to this: `benchmarks/probe_overhead.py`.
RESOLUTION = 0.01
# A trend is called one where chance would show it once in a hundred such measurements.
SIGNIFICANCE = 0.01


@dataclass(frozen=True)
class Trend:
    """One percentile over the windows of a long measurement.

    Attributes:
        percentile: Such as 50.
        values_ms: One a window, in order.
        change: What the fitted line gains from the first window to the last, relative to the median window.
        p_value: How often chance alone would order the windows at least as clearly.
    """

    percentile: int
    values_ms: tuple[float, ...]
    change: float
    p_value: float

    @property
    def drifts(self) -> bool:
        """Whether the windows show a trend, and one larger than one file differs from itself."""
        return self.p_value < SIGNIFICANCE and abs(self.change) > RESOLUTION

    @property
    def words(self) -> str:
        """The trend in a clause."""
        verb = ("rose" if self.change > 0 else "fell") if self.drifts else "changed"
        return f"P{self.percentile} {verb} by {self.change:+.1%} (p = {self.p_value:.2g})"


@dataclass(frozen=True)
class Drift:
    """How times changed while a long measurement went on.

    Attributes:
        window_s: Seconds of each window, of both models' inferences where two took turns.
        trends: Of the percentiles whose windows have runs enough.
        throttled_after_s: Seconds until the device was first held back; `None` where it was not, or nobody can tell.
    """

    window_s: float
    trends: tuple[Trend, ...]
    throttled_after_s: float | None = None

    @property
    def shown(self) -> bool:
        """Whether any percentile drifts."""
        return any(trend.drifts for trend in self.trends)

    @property
    def sentence(self) -> str:
        """The drift in a sentence."""
        windows = max(len(trend.values_ms) for trend in self.trends)
        first = "Times drifted" if self.shown else "No drift shown"
        clauses = "; ".join(trend.words for trend in self.trends)
        throttled = self.throttled_after_s
        held = "" if throttled is None else f" Throttling began after {throttled:.0f} s."
        return f"{first} over {windows} windows of {self.window_s:.3g} s: {clauses}.{held}"
