"""Advice is always something that can be done, and following it leads to an end."""

from dataclasses import replace
from pathlib import Path

import pytest
import run_builder as build
from imagined_agent import STEPS_AT_MOST, outcome
from mcp.types import TextResourceContents
from run_builder import FAILING, PASSING
from workflow import Connect, demo_arguments, refused

from edgewright.knowledge.advise import CONDITIONS, advise
from edgewright.knowledge.note import bundled
from edgewright.knowledge.strategies import ADVISED, STRATEGIES
from edgewright.state.artifacts import Device, Format
from edgewright.state.errors import Code
from edgewright.state.events import CandidateMade, JobOutcome, JobStarted
from edgewright.state.guards import FORMAT_OF_DEVICE
from edgewright.state.phases import TABLE, Call, Phase
from edgewright.state.run import Run, apply, fold


@pytest.mark.promise("P12")
@pytest.mark.parametrize("value", [PASSING, FAILING])
@pytest.mark.parametrize("phase", list(Phase))
def test_every_advice_is_legal_in_its_phase(phase: Phase, value: float) -> None:
    run = build.run_in(phase) if phase is Phase.PACKAGE else build.run_in(phase, value)
    for advice in advise(run):
        if advice.tool not in {"get_state", "get_job"}:
            assert (advice.after or call_of(advice.tool, dict(advice.arguments))) in TABLE[run.phase]


@pytest.mark.promise("P12")
@pytest.mark.parametrize("device", list(Device))
@pytest.mark.parametrize("values", [[PASSING], [FAILING], [FAILING, PASSING]])
@pytest.mark.parametrize("ratio", [0.5, 1.2])
def test_an_agent_that_only_follows_advice_comes_to_an_end(device: Device, values: list[float], ratio: float) -> None:
    run = fold("run", [build.started(target_device=device), build.profiled(calibration=build.dataset("calibration"))])
    for number in range(STEPS_AT_MOST):
        advice = advise(run)[0]
        if advice.tool == "get_state":
            break
        run = apply(run, outcome(run, advice.tool, dict(advice.arguments), values[number % len(values)], ratio))
    fits = run.kept and (device is Device.JETSON_ORIN_NANO or run.kept[0].artifact.format is FORMAT_OF_DEVICE[device])
    if device is Device.CPU_GENERIC or fits:
        assert run.packages
    else:  # what it would take to package for these is not there yet, and no advice pretends that it is
        assert (run.phase, run.packages) == (Phase.OPTIMIZE, ())
        assert "packaging would be refused" in advise(run)[0].why


def test_a_job_at_work_is_waited_for() -> None:
    run = fold("run", [build.started(), build.job_started(Call.PROFILE_MODEL, "job-1")])
    assert [advice.tool for advice in advise(run)] == ["get_job", "cancel_job"]


def test_a_failing_candidate_is_put_aside_and_not_tried_again() -> None:
    run = build.run_in(Phase.VALIDATE, FAILING)
    first = advise(run)[0]
    assert (first.tool, first.arguments["decision"]) == ("decide", "revert")


def test_dynamic_int8_is_not_advised_where_convolutions_take_the_time() -> None:
    found = build.profiled(calibration=build.dataset("calibration"))
    convolution = replace(found.baseline.hot_spots[0], op_type="Conv", share=0.99) if found.baseline.hot_spots else None
    spots = (convolution,) if convolution else ()
    run = fold("run", [build.started(), replace(found, baseline=replace(found.baseline, hot_spots=spots))])
    assert "int8_dynamic" not in {advice.arguments.get("scheme") for advice in advise(run)}


@pytest.mark.promise("P12")
def test_a_step_that_was_found_impossible_is_not_advised_again() -> None:
    run = fold("run", [build.started(), build.profiled(calibration=build.dataset("calibration"))])
    advised: list[object] = []
    for number in range(STEPS_AT_MOST):
        first = advise(run)[0]
        if first.tool == "package":
            break
        assert first.arguments not in advised
        advised.append(first.arguments)
        started = JobStarted(f"job-{number}", Call(first.tool), dict(first.arguments))
        ended = replace(
            build.job_ended(JobOutcome.REFUSED, f"job-{number}"),
            refusal=replace(build.refusal(), code=Code.NOTHING_CHANGED),
        )
        run = apply(apply(run, started), ended)
    assert advised
    assert advise(run)[0].tool == "package"


@pytest.mark.promise("P7")
def test_nothing_that_needs_calibration_is_advised_once_the_set_was_found_unfit() -> None:
    run = fold("run", [build.started(), build.profiled(calibration=build.dataset("calibration"))])
    started = JobStarted("job", Call.QUANTIZE, {"scheme": "int8_static"})
    unfit = replace(build.refusal(), code=Code.CALIBRATION_UNFIT)
    run = apply(apply(run, started), replace(build.job_ended(JobOutcome.REFUSED), refusal=unfit))
    assert "int8_static" not in {advice.arguments.get("scheme") for advice in advise(run)}


def test_every_device_has_a_strategy() -> None:
    assert set(STRATEGIES) == set(Device)


def test_every_note_and_condition_that_the_advice_names_exists() -> None:
    notes = {note.path for note in bundled()}
    ideas = [idea for listed in STRATEGIES.values() for idea in listed]
    assert {idea.note for idea in ideas} <= notes
    assert set(ADVISED.moments.values()) <= notes
    assert set(ADVISED.refusals.values()) <= notes
    assert {name for idea in ideas for name in idea.fits} <= set(CONDITIONS)
    assert {str(idea.call) for idea in ideas} <= {"quantize", "convert"}


@pytest.mark.parametrize("value", [PASSING, FAILING])
@pytest.mark.parametrize("phase", list(Phase))
def test_the_first_advice_of_every_turn_cites_a_note(phase: Phase, value: float) -> None:
    run = build.run_in(phase) if phase is Phase.PACKAGE else build.run_in(phase, value)
    assert advise(run)[0].see.startswith("knowledge/notes/")


@pytest.mark.anyio
async def test_a_refusal_cites_the_note_that_explains_it_and_a_client_can_read_it(connect: Connect, root: Path) -> None:
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, accuracy_tolerance=0.5))
        note = (await client.read_resource(f"edgewright://{refusal['see']}")).contents[0]
        unknown = await refused(client, "benchmark", run="run-1", latency_ms=1)
    assert refusal["see"] == "knowledge/notes/accuracy-floor.md"
    assert unknown["see"] == "knowledge/notes/evidence-not-arguments.md"
    assert isinstance(note, TextResourceContents)
    assert note.text.startswith("# The accuracy floor")
    assert "Checked 2026" in note.text


def test_too_little_and_unfit_calibration_data_cite_the_calibration_note() -> None:
    for code in (Code.CALIBRATION_MISSING, Code.CALIBRATION_UNFIT):
        assert ADVISED.refusals[code] == "knowledge/notes/calibration-data.md"


def call_of(tool: str, arguments: dict[str, object]) -> Call:
    return Call(f"decide({arguments['decision']})" if tool == "decide" else tool)


def lite_run(device: Device = Device.RASPBERRY_PI_5, target_ms: float | None = None) -> Run:
    found = build.profiled(calibration=build.dataset("calibration"))
    original = replace(found.original, format=Format.TFLITE)
    return fold(
        "run",
        [
            build.started(target_device=device, latency_target_ms=target_ms),
            replace(found, original=original, root=original),
        ],
    )


def followed(run: Run, values: dict[str, float]) -> tuple[Run, list[str]]:
    """Follow the first advice to the package; return the run and the schemes in order."""
    schemes: list[str] = []
    for _ in range(STEPS_AT_MOST):
        advice = advise(run)[0]
        if advice.tool == "get_state":
            break
        arguments = dict(advice.arguments)
        if advice.tool == "quantize":
            schemes.append(str(arguments["scheme"]))
        event = outcome(run, advice.tool, arguments, values.get(schemes[-1] if schemes else "", PASSING), 1.2)
        if isinstance(event, CandidateMade):
            event = replace(event, artifact=replace(event.artifact, format=Format.TFLITE))
        run = apply(run, event)
    return run, schemes


@pytest.mark.promise("P6")
def test_a_pi_begins_with_float16_and_is_done_where_no_latency_was_asked_for() -> None:
    run, schemes = followed(lite_run(), {})
    assert schemes == ["fp16"]
    assert [package.artifact for package in run.packages] == [run.steps[0].artifact.sha256]


@pytest.mark.promise("P6")
def test_a_pi_goes_on_to_int8_where_its_latency_target_is_not_met_and_ships_the_latest_that_passes() -> None:
    run, schemes = followed(lite_run(target_ms=5.0), {"int8_dynamic": FAILING})
    assert schemes == ["fp16", "int8_static", "int8_dynamic"]
    # On this host int8 was slower, which says nothing of the Pi.
    assert run.packages[-1].artifact == run.steps[1].artifact.sha256


def test_where_every_scheme_fails_the_way_out_is_named() -> None:
    schemes = dict.fromkeys(["fp16", "int8_static", "int8_dynamic"], FAILING)
    run = lite_run(target_ms=5.0)
    said = []
    for _ in range(STEPS_AT_MOST):
        advice = advise(run)[0]
        if advice.tool in {"package", "get_state"}:
            break
        said.append(advice.why)
        event = outcome(run, advice.tool, dict(advice.arguments), min(schemes.values()), 1.2)
        run = apply(run, event)
    assert sum("smaller model" in why for why in said) == 1
    assert "QAT" in said[-1]


def test_schemes_of_another_format_are_not_advised() -> None:
    assert [advice.tool for advice in advise(lite_run(Device.CPU_GENERIC))] == ["get_state"]
