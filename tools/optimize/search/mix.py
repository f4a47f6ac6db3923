"""Which groups of a model take which form, and how that is written into a file."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import onnx

from edgewright.tools.optimize.calibrate.candidate import Calibrated, Calibration
from edgewright.tools.optimize.search.groups import Group, groups_of
from edgewright.tools.runtimes.onnxruntime.islands import keep_islands
from edgewright.tools.runtimes.onnxruntime.quantization import quantize_dynamically


class Form(StrEnum):
    """How a group computes."""

    FLOAT = "float32"
    STATIC = "static int8"
    DYNAMIC = "dynamic int8"


@dataclass(frozen=True)
class Mix:
    """A form for every group; those that are not named stay in float32.

    Attributes:
        static: Groups with ranges from calibration.
        dynamic: Groups whose product is quantised as activations come.
    """

    static: frozenset[str] = frozenset()
    dynamic: frozenset[str] = frozenset()

    @property
    def quantised(self) -> frozenset[str]:
        """Groups in 8 bits, whichever."""
        return self.static | self.dynamic

    def without(self, names: Collection[str]) -> "Mix":
        """Return the mix with these groups in float32."""
        return Mix(self.static.difference(names), self.dynamic.difference(names))

    def with_group(self, name: str, group: Group) -> "Mix":
        """Return the mix with one more group in 8 bits: as dynamic products are, if any are."""
        if group.dynamic and self.dynamic:
            return Mix(self.static, self.dynamic | {name})
        return Mix(self.static | {name}, self.dynamic)

    def form(self, name: str) -> Form:
        """Return how a group computes."""
        return Form.STATIC if name in self.static else Form.DYNAMIC if name in self.dynamic else Form.FLOAT


class Mixer:
    """Writes mixes of one calibrated model.

    Attributes:
        groups: Name to group, in the order in which they are computed.
    """

    def __init__(self, calibration: Calibration, calibrated: Calibrated, folder: Path) -> None:
        """Find the groups.

        Args:
            calibration: Made the model ready, and writes it.
            calibrated: The model.
            folder: Where files go.
        """
        self._calibration, self._calibrated, self._folder = calibration, calibrated, folder
        self._count = 0
        # What takes symmetric integers only has no operator that finds its ranges as activations come.
        self._symmetric = calibration.choices.integers.symmetric
        found = groups_of(calibrated.model)
        self.groups: Mapping[str, Group] = {
            group.name: replace(group, dynamic=False) if self._symmetric else group for group in found
        }

    def starts(self) -> tuple[Mix, ...]:
        """Return the mixes to begin with: all in ranges, products dynamic and the rest in ranges, products alone."""
        every = frozenset(self.groups)
        products = frozenset(name for name, group in self.groups.items() if group.dynamic)
        mixes = (Mix(static=every), Mix(static=every - products, dynamic=products), Mix(dynamic=products))
        return tuple(dict.fromkeys(mix for mix in mixes if mix.quantised))

    @contextmanager
    def written(self, mix: Mix) -> Iterator[Path]:
        """Yield a file of a mix that is there for a while."""
        self._count += 1
        path = self._folder / f"mix-{self._count}.onnx"
        self.write(mix, path)
        try:
            yield path
        finally:
            path.unlink()

    def write(self, mix: Mix, made: Path) -> None:
        """Write a file."""
        if mix.static:
            self._calibration.write(self._calibrated, made, self._nodes(set(self.groups) - mix.static))
        else:
            onnx.save(self._calibrated.model, made)
        if mix.dynamic:
            reduce_range = self._calibrated.reduce_range
            quantize_dynamically(made, made, per_channel=True, reduce_range=reduce_range, nodes=sorted(mix.dynamic))
        if not self._symmetric:
            keep_islands(made)

    def _nodes(self, names: Iterable[str]) -> list[str]:
        return [node for name in names for node in self.groups[name].nodes]
