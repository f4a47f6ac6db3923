"""What the ratio of a comparison shows, in a sentence."""

from edgewright.state.drift import RESOLUTION
from edgewright.state.evidence import Ratio


def comparison(ratio: Ratio) -> tuple[str, ...]:
    """Return the sentence that keeps a reader from seeing a gain that the times do not show."""
    if ratio.faster:
        return ()
    interval = f"candidate over baseline is {ratio.low:.3f} to {ratio.high:.3f} with {ratio.confidence:.0%} confidence"
    if ratio.slower:
        return (f"The candidate is slower: {interval}.",)
    if ratio.low <= 1 <= ratio.high:
        return (f"No difference shown: {interval}, which includes 1.",)
    return (f"No difference shown: {interval}, and one file against itself comes out up to {RESOLUTION:.0%} apart.",)
