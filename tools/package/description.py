"""`preprocessing.json`: what is done to a raw sample before the model takes it, for machines."""

from typing import Any

from edgewright.state.artifacts import Artifact, TensorSpec
from edgewright.tools.datasets.card import ImageInput, TensorInput
from edgewright.tools.datasets.prepared import PreparedData
from edgewright.tools.probe.columns import Column

STEPS = ("resize", "crop", "colour", "scale", "mean", "std", "dtype", "layout", "quantization", "batch_size")


def preprocessing(artifact: Artifact, data: PreparedData) -> tuple[dict[str, Any], ...]:
    """Return the `inputs` of `preprocessing.json`, in the model's order.

    Args:
        artifact: The shipped model.
        data: The data that its accuracy was measured on.
    """
    return tuple(_input(spec, data.card.inputs[spec.name], data.inputs[spec.name]) for spec in artifact.inputs)


def _input(spec: TensorSpec, entry: ImageInput | TensorInput, column: Column) -> dict[str, Any]:
    # The rule of ranks is that of edgewright.tools.probe.feeds.
    batched = len(spec.shape) == column.rank + 1
    only_images: dict[str, Any] = {"resize": None, "crop": None, "colour": None, "layout": None}
    content = {
        "name": spec.name,
        **only_images,
        **entry.model_dump(mode="json"),
        "quantization": quantization_of(spec) if column.dtype != spec.dtype else None,
        "shape": list(spec.shape[1:] if batched else spec.shape),
        "batch_size": (spec.shape[0] or 1) if batched else None,
    }
    return {**content, "steps": [step for step in STEPS if content[step] is not None]}


def quantization_of(spec: TensorSpec) -> dict[str, Any] | None:
    """Return which integers stand for which real numbers, as the arguments of the shipped `quantization.py`."""
    if spec.quantization is None:
        return None
    return {"dtype": spec.dtype, "scale": spec.quantization.scale, "zero_point": spec.quantization.zero_point}
