"""The evaluation's fragile model, by the name that tests know."""

from edgewright.server.evaluation.fragile import CLASSES, LOST_TO_EACH, SAMPLES, fragile

__all__ = ["CLASSES", "LOST_TO_EACH", "SAMPLES", "fragile"]
