"""The guards on what a run may begin with: the operator's bounds, and the device's own target."""

import pytest
import run_builder as build
from premises import BENCH, assert_speaks

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code
from edgewright.state.guards import first_refusal
from edgewright.state.phases import START, Call
from edgewright.state.policy import Policy


@pytest.mark.promise("P3")
@pytest.mark.parametrize("tolerance", [0.0200001, 0.05, 1.0, float("inf"), float("nan")])
def test_a_tolerance_above_the_operators_cap_starts_no_run(tolerance: float) -> None:
    refusal = first_refusal(START.guards, None, build.asked(Call.PROFILE_MODEL, tolerance=tolerance))
    assert refusal is not None
    assert refusal.code is Code.TOLERANCE_ABOVE_CAP
    assert_speaks(refusal)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("tolerance", [0.02, 0.0199, 0.0])
def test_a_tolerance_at_or_below_the_cap_may_start_a_run(tolerance: float) -> None:
    assert first_refusal(START.guards, None, build.asked(Call.PROFILE_MODEL, tolerance=tolerance)) is None


@pytest.mark.promise("P3")
@pytest.mark.parametrize("cap", [0.0, 0.01])
def test_the_cap_is_the_operators_of_now(cap: float) -> None:
    asked = build.asked(Call.PROFILE_MODEL, policy=Policy(tolerance_cap=cap))
    refusal = first_refusal(START.guards, None, asked)
    assert refusal is not None
    assert refusal.facts == {"asked": 0.02, "cap": cap}


@pytest.mark.promise("P3")
def test_a_metric_outside_the_operators_list_starts_no_run() -> None:
    asked = build.asked(Call.PROFILE_MODEL, policy=Policy(metrics=("f1", "map")), metric="top1")
    refusal = first_refusal(START.guards, None, asked)
    assert refusal is not None
    assert refusal.code is Code.METRIC_NOT_ALLOWED
    assert refusal.facts["allowed"] == ["f1", "map"]
    assert_speaks(refusal)


@pytest.mark.promise("P3")
def test_a_metric_on_the_list_and_any_metric_without_a_list_may_start_a_run() -> None:
    for policy in (Policy(metrics=("f1", "top1")), Policy()):
        assert first_refusal(START.guards, None, build.asked(Call.PROFILE_MODEL, policy=policy)) is None


@pytest.mark.promise("P6")
def test_a_run_is_not_started_for_a_device_whose_target_is_left_out_or_is_another() -> None:
    codes = {None: Code.TARGET_REQUIRED, "nobody": Code.UNKNOWN_TARGET, "pi": Code.TARGET_WRONG_MACHINE, "bench": None}
    for target, code in codes.items():
        asked = build.asked(Call.PROFILE_MODEL, target=target, enrolled={**BENCH, "pi": Device.RASPBERRY_PI_5})
        refusal = first_refusal(START.guards, None, asked)
        assert (refusal.code if refusal else None) is code
