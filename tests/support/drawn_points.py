"""Whether the points of a drawn trade-off chart stand where the record says."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

PIXEL = 0.5


def check_places(points: Sequence[Mapping[str, str]], wanted: Mapping[str, tuple[float, float]]) -> None:
    """Check that every wanted point is drawn once, and in proportion.

    Args:
        points: Of the SVG: `label`, which names the point and its figures, and `place`, its translation in pixels.
        wanted: Name to time and accuracy, the figures of the record.
    """
    assert len(points) == len(wanted)
    by_name = {}
    for name, figures in wanted.items():
        (point,) = [point for point in points if re.search(rf"(^|[ ;:]){re.escape(name)}($|;)", point["label"])]
        assert all(f"{figure:g}" in point["label"] for figure in figures), point
        by_name[name] = [float(number) for number in re.findall(r"-?\d+\.?\d*", point["place"])[:2]]
    for axis, rises in enumerate((1, -1)):  # an SVG counts from the top
        figures, pixels = (np.array([source[name][axis] for name in wanted]) for source in (wanted, by_name))
        slope, start = np.polyfit(figures, pixels, 1)
        assert np.sign(slope) == rises
        assert np.abs(slope * figures + start - pixels).max() < PIXEL
