"""Every file that a run tried, what became of it, and what nobody knows yet of it."""

import re
from dataclasses import replace

import pytest
import run_builder as past

from edgewright.state.artifacts import Device
from edgewright.state.phases import Phase
from edgewright.state.run import fold
from edgewright.tools.package.variants import Status, told_apart, tradeoffs, unmeasured, variant_of


def test_a_hostile_name_becomes_a_safe_file_name() -> None:
    run = past.run_in(Phase.PACKAGE)
    step = run.steps[0]
    changed = replace(run, steps=(replace(step, artifact=replace(step.artifact, name="../../etc/passwd\n")),))
    variant = variant_of(changed, None)
    assert variant is not None
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.onnx", variant.file_name)


def test_tradeoffs_list_the_baseline_and_every_candidate_with_its_fate() -> None:
    found = tradeoffs(fold("run", past.one_of_each()))
    assert [variant.status for variant in found] == [Status.BASELINE, Status.KEPT, Status.REVERTED]
    assert [variant.speedup for variant in found] == [1.0, 1.25, None]
    assert tradeoffs(past.run_in(Phase.PROFILE)) == ()
    assert tradeoffs(past.run_in(Phase.VALIDATE))[1].status is Status.OPEN


def test_variants_of_one_name_are_told_apart_by_their_numbers() -> None:
    assert told_apart({0: "a", 1: "b", 2: "b"}) == {0: "a", 1: "b (1)", 2: "b (2)"}


@pytest.mark.promise("P10")
@pytest.mark.parametrize(
    ("integers", "device", "vnni", "gap"),
    [
        ("U8S8", Device.CPU_GENERIC, "yes", True),
        ("U8S8", Device.CPU_GENERIC, "unknown", True),
        ("U8S8", Device.CPU_GENERIC, "no", False),
        ("U8S8", Device.RASPBERRY_PI_5, "yes", False),
        ("S8S8", Device.CPU_GENERIC, "yes", False),
    ],
)
def test_accuracy_without_vnni_is_unmeasured_where_sums_can_saturate(
    integers: str, device: Device, vnni: str, gap: object
) -> None:
    run = past.run_in(Phase.PACKAGE)
    step = run.steps[0]
    assert step.accuracy is not None
    recipe = replace(step.artifact.recipe, parameters={"integers": integers})
    measured = replace(step.accuracy, environment=replace(step.accuracy.environment, vnni=vnni))
    step = replace(step, artifact=replace(step.artifact, recipe=recipe), accuracy=measured)
    run = replace(run, started=replace(run.started, target_device=device), steps=(step,))
    gaps = unmeasured(run, variant_of(run, step.artifact))
    assert any(sentence.startswith("Accuracy on x86 processors without VNNI: ") for sentence in gaps) is gap
