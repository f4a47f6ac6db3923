"""Parts of a data card's fields."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_SIDE = 16_384

Name = Annotated[str, Field(min_length=1, max_length=255)]
Side = Annotated[int, Field(ge=1, le=MOST_SIDE)]


class Strict(BaseModel):
    """Fields exactly as declared: nothing converted, nothing more, nothing infinite."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
