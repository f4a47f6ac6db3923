"""The mark by which a candidate, wherever it was carried, is recognised as the descendant of an original (P3)."""

from onnx import ModelProto

KEY = "edgewright.original"


def lineage_of(model: ModelProto) -> str | None:
    """Return the SHA-256 of the original that this model says it was made from, `None` where it says nothing."""
    return next((entry.value for entry in model.metadata_props if entry.key == KEY), None)


def stamp(model: ModelProto, original_sha256: str) -> None:
    """Write the SHA-256 of the original into the model, in place of any earlier mark."""
    kept = [entry for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    entry = model.metadata_props.add()
    entry.key = KEY
    entry.value = original_sha256
