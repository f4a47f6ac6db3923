"""Writes a column sample by sample, in constant memory, without knowing beforehand whether it is regular.

The raw values go behind a header of fixed size, which is written last, when all shapes are known. Format of the
header: NEP 1, "A Simple File Format for NumPy Arrays", version 1.0.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Tuple, Type

import numpy as np

from edgewright.tools.probe.columns import Array

HEADER_BYTES = 512
MAGIC = b"\x93NUMPY\x01\x00"


class ColumnWriter:
    """Appends samples to `NAME.npy` and, where their shapes differ, leaves `NAME.shapes.npy` beside it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.path = folder / f"{name}.npy"
        self._stream = self.path.open("wb")
        self._stream.write(bytes(HEADER_BYTES))
        self._dtype: Optional[np.dtype[Any]] = None
        self._shapes: List[Tuple[int, ...]] = []

    def __enter__(self) -> ColumnWriter:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._stream.close()

    def append(self, sample: Array) -> None:
        """Add one sample.

        Raises:
            ValueError: Its element type or rank is not that of the samples before it.
        """
        if self._dtype is None:
            self._dtype = sample.dtype
        elif sample.dtype != self._dtype or sample.ndim != len(self._shapes[0]):
            raise ValueError(
                f"sample {len(self._shapes)} is {sample.dtype} of rank {sample.ndim}, "
                f"the samples before it are {self._dtype} of rank {len(self._shapes[0])}"
            )
        self._shapes.append(sample.shape)
        self._stream.write(sample.tobytes())

    @property
    def dtype(self) -> str:
        """NumPy's name of the element type; empty before the first sample."""
        return "" if self._dtype is None else str(self._dtype.name)

    def flushed(self) -> List[Tuple[int, ...]]:
        """Return the shapes of the samples so far, all of which are in the file when this returns."""
        self._stream.flush()
        return list(self._shapes)

    def finish(self, *, drop_leading_one: bool) -> Dict[str, str]:
        """Complete the files and return the column's entry for an index, with file names instead of digests.

        Args:
            drop_leading_one: Take the first dimension off where it is 1 in every sample.

        Raises:
            ValueError: Nothing was appended, or the element type is not a plain number.
        """
        if self._dtype is None or self._dtype.hasobject:
            raise ValueError(f"{self._name} holds {self._dtype or 'nothing'}, not numbers")
        shapes = self._shapes
        if drop_leading_one and shapes[0] and all(shape[0] == 1 for shape in shapes):
            shapes = [shape[1:] for shape in shapes]
        spec = {"kind": "regular", "dtype": self._dtype.name, "values": f"{self._name}.npy"}
        if len(set(shapes)) == 1:
            self._write_header((len(shapes), *shapes[0]))
            return spec
        self._write_header((int(sum(np.prod(shape, dtype=np.int64) for shape in shapes)),))
        np.save(self._folder / f"{self._name}.shapes.npy", np.array(shapes, dtype=np.int64))
        return {**spec, "kind": "ragged", "shapes": f"{self._name}.shapes.npy"}

    def _write_header(self, shape: Tuple[int, ...]) -> None:
        assert self._dtype is not None  # noqa: S101  (finish() checked it)
        text = repr({"descr": self._dtype.str, "fortran_order": False, "shape": shape}).encode("latin1")
        length = HEADER_BYTES - len(MAGIC) - 2
        self._stream.seek(0)
        self._stream.write(MAGIC + struct.pack("<H", length) + text.ljust(length - 1) + b"\n")
        self._stream.flush()
