"""What a data card says is done to a sample, done to a block of samples."""

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import ImageInput, TensorInput
from edgewright.tools.datasets.preprocessing import UnfitSampleError, prepare
from edgewright.tools.datasets.samples import Array


def transform(block: Array, entry: ImageInput | TensorInput, first: int) -> Array:
    """Return a block of samples as the model takes them, without further batch dimension.

    Args:
        block: Shape (k, ...); for an image input uint8 of shape (k, height, width, 1 or 3).
        entry: What is done.
        first: Index of the block's first sample, for messages.

    Returns:
        Shape (k, ...), of the card's element type.

    Raises:
        Refused: DATA_INVALID for a value that the element type cannot hold, DATA_MISMATCH for a crop that is larger
            than the image, or numbers that do not fit the channels.
    """
    try:
        return prepare(block, entry.model_dump(mode="json"))
    except UnfitSampleError as error:
        sample = first + error.sample
        raise Refused.because(
            Code.DATA_INVALID if error.is_value else Code.DATA_MISMATCH,
            f"sample {sample} as the card describes it",
            str(error),
            "correct the data card (resize, crop, mean, std, dtype), or the data",
            "P9",
            sample=sample,
        ) from error
