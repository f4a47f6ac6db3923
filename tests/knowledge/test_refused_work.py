"""Whatever refuses its work, an agent that only follows `next` comes to an end: a package, or a stop that says why."""

from dataclasses import replace

import pytest
import run_builder as build
from imagined_agent import SUSTAINED, World, follow

from edgewright.knowledge.advise import advise
from edgewright.knowledge.strategies import ADVISED
from edgewright.state.artifacts import Device
from edgewright.state.asked import Today
from edgewright.state.errors import Code
from edgewright.state.events import CallRefused
from edgewright.state.phases import Phase
from edgewright.state.policy import Policy
from edgewright.state.run import Run, fold

pytestmark = pytest.mark.promise("P12")

WORK = ("quantize", "convert", "benchmark", "validate", SUSTAINED, "package")


def profiled(device: Device = Device.CPU_GENERIC, target: str | None = "bench") -> Run:
    """Return a run that may begin with any step; with a target, which wants the long run before a package."""
    return fold("run", [build.started(target_device=device, target=target), build.profiled()])


@pytest.mark.parametrize("call", WORK)
def test_work_that_is_refused_every_time_leads_to_a_package_or_to_a_stop_with_its_reason(call: str) -> None:
    for code in Code:
        run, stop = follow(profiled(), World(refusing={call: code}, ratio=1.2))
        assert stop is not None, code
        assert run.packages or stop.why, code


@pytest.mark.parametrize("device", [device for device in Device if device is not Device.CPU_GENERIC])
@pytest.mark.parametrize("code", [Code.MODEL_INVALID, Code.WORKER_CRASHED, Code.DISK_FULL])
def test_that_holds_for_every_device(device: Device, code: Code) -> None:
    for call in WORK:
        assert follow(profiled(device, None), World(refusing={call: code}, ratio=1.2))[1] is not None, call


@pytest.mark.parametrize("call", WORK)
@pytest.mark.parametrize("code", sorted(ADVISED.again))
def test_what_may_pass_is_tried_once_more_and_ends_packaged(call: str, code: Code) -> None:
    run, _ = follow(profiled(), World(refusing={call: code}, times=1, ratio=1.2))
    assert (len(run.turned_down), len(run.packages)) == (1, 1)


@pytest.mark.parametrize("call", WORK)
@pytest.mark.parametrize("code", sorted(ADVISED.person))
def test_what_only_a_person_can_mend_stops_at_once_and_goes_on_from_there_afterwards(call: str, code: Code) -> None:
    world = World(refusing={call: code}, times=1, ratio=1.2)
    run, stop = follow(profiled(), world)
    assert stop is not None
    assert (len(run.turned_down), run.packages) == (1, ())
    assert build.refusal().do in stop.why
    run, _ = follow(world.answer(run, advise(run)[1]), world)
    assert run.packages


@pytest.mark.parametrize("call", ["benchmark", SUSTAINED])
def test_times_that_stay_unusable_stop_with_what_made_them_so(call: str) -> None:
    run, stop = follow(profiled(), World(invalid=frozenset({call})))
    assert stop is not None
    assert run.trouble is not None
    assert (run.packages, "a person" in stop.why) == ((), True)


def test_a_candidate_that_cannot_be_timed_or_judged_is_put_aside_with_the_reason() -> None:
    for call in ("benchmark", "validate"):
        world = World(refusing={call: Code.MODEL_INVALID}, times=1)
        run = profiled()
        while not run.turned_down:
            run = world.answer(run, advise(run)[0])
        first = advise(run)[0]
        assert first.arguments["decision"] == "revert"
        assert build.refusal().why in first.why


@pytest.mark.promise("P6")
@pytest.mark.parametrize("enrolled", [{}, {"bench": Device.RASPBERRY_PI_5}])
@pytest.mark.parametrize("phase", [Phase.OPTIMIZE, Phase.BENCHMARK, Phase.VALIDATE])
def test_a_run_whose_target_is_gone_stops(phase: Phase, enrolled: dict[str, Device]) -> None:
    started = build.started(target="bench")
    run = replace(build.run_in(phase), started=started, today=Today(Policy(), enrolled))
    run, stop = follow(run, World())
    assert stop is not None
    assert "packaging would be refused" in stop.why


@pytest.mark.parametrize("phase", list(Phase))
def test_a_call_that_the_door_refuses_changes_no_advice(phase: Phase) -> None:
    for code in Code:
        past = build.past(phase)
        turned_away = CallRefused("package", replace(build.refusal(), code=code))
        assert advise(fold("run", [*past, turned_away])) == advise(fold("run", past))
