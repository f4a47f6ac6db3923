"""The bench on which the tests of this folder make candidates."""

from pathlib import Path

import pytest
from onnx import ModelProto
from optimize_bench import Bench, BenchOf, build_bench


@pytest.fixture
def bench_of(tmp_path: Path) -> BenchOf:
    def build(model: ModelProto, calibration: int = 120) -> Bench:
        return build_bench(model, tmp_path, calibration)

    return build
