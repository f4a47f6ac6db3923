"""What 8 bits cost and save in each part of a model, on a network of which some parts cannot compute in 8 bits."""

from pathlib import Path

import numpy as np
import pytest
from search_bench import broken_network, search_bench

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.state.sensitivity import Sensitivity
from edgewright.tools.optimize.analyze import analyze, outlier_ratio
from edgewright.tools.optimize.calibrate.histogram import Histogram
from edgewright.tools.targets.target import Places


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Sensitivity:
    bench = search_bench(broken_network(), tmp_path_factory.mktemp("bench"), device=Device.RASPBERRY_PI_5)
    return analyze(bench.quantize_order("int8_static"), bench.workspace, Places(bench.target, bench.target))


def test_the_parts_that_lose_their_channels_come_first(found: Sensitivity) -> None:
    assert {group.name for group in found.groups[:2]} == {"node_Conv_130", "node_Conv_136"}
    errors = [group.alone_error for group in found.groups]
    assert errors == sorted(errors, key=lambda error: -(error or 0))
    assert found.uniform_error is not None
    assert found.uniform_error > 100 * (errors[-1] or 0)


def test_their_outliers_and_their_channels_explain_it(found: Sensitivity) -> None:
    groups = {group.name: group for group in found.groups}
    before, sound = groups["node_Conv_128"], groups["node_Conv_132"]
    assert before.channel_spread is not None
    assert sound.channel_spread is not None
    assert before.channel_spread > 100 * sound.channel_spread
    assert before.outlier_ratio is not None
    assert before.outlier_ratio >= 1
    assert {group.dead_channels for group in found.groups} == {0}


@pytest.mark.promise("P6")
def test_a_hosts_times_are_not_given_for_another_device(found: Sensitivity) -> None:
    assert (found.timed, found.uniform_share) == ("", None)
    assert {group.saved_share for group in found.groups} == {None}


def test_of_outliers_the_largest_counts_against_all_but_a_thousandth() -> None:
    histogram = Histogram()
    histogram.add(np.append(np.linspace(0, 1, 2000), [40.0]).astype(np.float32))
    assert outlier_ratio(histogram) == pytest.approx(40, rel=0.1)


@pytest.mark.promise("P7")
def test_without_calibration_data_nothing_is_analysed(tmp_path: Path) -> None:
    bench = search_bench(broken_network(), tmp_path)
    bench.calibration = None
    with pytest.raises(Refused) as caught:
        analyze(bench.quantize_order("int8_static"), bench.workspace, Places(bench.target, bench.target))
    assert caught.value.refusal.code is Code.CALIBRATION_MISSING
