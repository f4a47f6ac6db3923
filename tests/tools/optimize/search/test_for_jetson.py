"""The search for a Jetson: symmetric INT8 and float16 in one graph, which NVIDIA's own builder takes."""

from pathlib import Path

import pytest
from search_bench import broken_network, groups_in_8_bits, search_bench

from edgewright.state.artifacts import Device
from edgewright.tools.runtimes.tensorrt.examine import examine

LOST = {"node_Conv_130", "node_Conv_136"}


@pytest.mark.system
@pytest.mark.promise("P6", "P8")
@pytest.mark.timeout(600)
def test_a_mix_for_a_jetson_keeps_what_8_bits_lose_in_float16_and_is_built_ahead_of_time(tmp_path: Path) -> None:
    bench = search_bench(broken_network(), tmp_path, device=Device.JETSON_ORIN_NANO, calibration=500)
    made = bench.quantize("int8_mixed", samples=500)
    assert groups_in_8_bits(made)
    assert not groups_in_8_bits(made) & LOST
    assert any("estimated from multiply-accumulates" in finding for finding in made.findings)
    assert examine(bench.workspace.path_of(made.artifact.sha256), {"image": (1, 1, 28, 28)}).engine_bytes > 0
