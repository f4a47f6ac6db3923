"""A person is asked at the client; the answer is never an argument, and counts only where the operator says so."""

from typing import Any

import pytest
import run_builder as build
from mcp.types import ElicitResult
from workflow import Connect, call, content, done, kinds_of, refused, state_of

from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.artifacts import Device
from edgewright.state.phases import Phase
from edgewright.state.policy import Level

pytestmark = pytest.mark.anyio

RUN = "run-abc"
ERAS = pytest.mark.parametrize("era", ["auto", "legacy"])


@pytest.fixture
def relayed(settings: Settings) -> Settings:
    """The settings of an operator who is content with what a client relays."""
    return settings.model_copy(update={"least_level": Level.RELAYED})


def hold(settings: Settings, *runs: str) -> None:
    """Put runs on hold: their candidate fails."""
    _, *past = build.past(Phase.VALIDATE, build.FAILING)
    with House.open(settings).ledger.change() as change:
        for run in runs or [RUN]:
            change.append(run, build.started(policy=settings.policy), *past)


class Person:
    """Whoever answers at the client: it may be nobody at all."""

    def __init__(self, action: str = "accept", **said: object) -> None:
        self.asked: list[str] = []
        self._answer = ElicitResult.model_validate(
            {"action": action, "content": {"accept": True, "name": "Ada", "reason": "a demo", **said}}
        )

    async def __call__(self, _context: object, params: Any) -> ElicitResult:  # noqa: ANN401 - the SDK's own
        self.asked.append(params.message)
        return self._answer


@pytest.mark.promise("P3", "P4")
@ERAS
async def test_a_person_accepts_exactly_this_at_the_client_and_the_candidate_is_kept_once(
    connect: Connect, relayed: Settings, era: str
) -> None:
    hold(relayed)
    person = Person()
    async with connect("memory", era, given=relayed, elicitation_callback=person) as client:
        granted = await done(client, "accept_tradeoff", run=RUN)
        assert granted["summary"].startswith("Accepted at L1 (relayed by the client; not proof of a person) by Ada")
        assert (granted["next"][0]["tool"], granted["next"][0]["arguments"]["decision"]) == ("decide", "keep")
        again = await refused(client, "accept_tradeoff", run=RUN)
        assert again["code"] == "NOTHING_TO_ACCEPT"
        assert (await done(client, "decide", run=RUN, decision="keep"))["phase"] == "OPTIMIZE"
        state = await state_of(client, RUN)
    assert len(person.asked) == 1
    for figure in ("0.9", "0.8", "0.882", "11.11%", "2.00%", "n=1000", build.digest("candidate")):
        assert figure in person.asked[0]
    assert state["waivers"] == []
    assert state["steps"][0]["waiver"]["level"] == "L1"


@pytest.mark.promise("P3")
@ERAS
@pytest.mark.parametrize(
    "person", [Person("decline"), Person("cancel"), Person(accept=False), Person(reason=" "), Person(name="")], ids=str
)
async def test_whatever_is_no_yes_leaves_the_run_on_hold(
    connect: Connect, relayed: Settings, era: str, person: Person
) -> None:
    hold(relayed)
    async with connect("memory", era, given=relayed, elicitation_callback=person) as client:
        before = await state_of(client, RUN)
        refusal = await refused(client, "accept_tradeoff", run=RUN)
        assert refusal["code"] in {"NOT_ACCEPTED", "WAIVER_INSUFFICIENT"}
        assert await state_of(client, RUN) == before
        assert (await refused(client, "decide", run=RUN, decision="keep"))["code"] == "ACCURACY_BELOW_FLOOR"


@pytest.mark.promise("P3", "P4")
async def test_a_client_that_accepts_every_question_ends_at_waiver_insufficient_in_100_of_100_runs(
    connect: Connect, settings: Settings
) -> None:
    person = Person()
    runs = [f"run-{number}" for number in range(100)]
    hold(settings, *runs)
    async with connect(elicitation_callback=person) as client:
        for run in runs:
            refusal = await refused(client, "accept_tradeoff", run=run)
            assert refusal["code"] == "WAIVER_INSUFFICIENT"
            assert "waiver insufficient" in refusal["why"]
            assert refusal["numbers"]["command"] == f"edgewright approve {run}"
        for run in runs[::20]:
            assert (await refused(client, "decide", run=run, decision="keep"))["code"] == "ACCURACY_BELOW_FLOOR"


@pytest.mark.promise("P3", "P12")
@ERAS
async def test_a_client_that_cannot_ask_gets_the_figures_and_the_command(
    connect: Connect, relayed: Settings, era: str
) -> None:
    hold(relayed)
    async with connect("memory", era, given=relayed) as client:
        refusal = await refused(client, "accept_tradeoff", run=RUN)
        assert refusal["code"] == "NOBODY_TO_ASK"
        assert any("0.882" in line for line in refusal["numbers"]["figures"])
        assert f"edgewright approve {RUN}" in refusal["do"]
        assert (await kinds_of(client, RUN))[-1] == "CallRefused"


@pytest.mark.promise("P4")
@pytest.mark.parametrize("name", ["answer", "accept", "approved", "level", "waiver", "signature", "name", "reason"])
async def test_no_argument_carries_the_decision(connect: Connect, relayed: Settings, name: str) -> None:
    hold(relayed)
    person = Person("decline")
    async with connect(given=relayed, elicitation_callback=person) as client:
        refusal = content(await call(client, "accept_tradeoff", run=RUN, **{name: True}))
    assert refusal["code"] == "UNKNOWN_ARGUMENT"
    assert person.asked == []


@pytest.mark.promise("P12")
async def test_the_same_key_asks_the_person_once(connect: Connect, relayed: Settings) -> None:
    hold(relayed)
    person = Person()
    async with connect(given=relayed, elicitation_callback=person) as client:
        one, two = [await done(client, "accept_tradeoff", run=RUN, idempotency_key="k") for _ in range(2)]
    assert one["summary"] == two["summary"]
    assert len(person.asked) == 1


@pytest.mark.promise("P3")
async def test_an_acceptance_that_was_relayed_no_longer_counts_where_the_operator_demands_more(
    connect: Connect, settings: Settings, relayed: Settings
) -> None:
    hold(relayed)
    async with connect(given=relayed, elicitation_callback=Person()) as client:
        await done(client, "accept_tradeoff", run=RUN)
    async with connect(given=settings) as client:
        refusal = await refused(client, "decide", run=RUN, decision="keep")
    assert refusal["code"] == "WAIVER_INSUFFICIENT"
    assert "its level L1 (relayed by the client; not proof of a person) is below the required L2" in refusal["why"]


@pytest.mark.promise("P8")
async def test_a_person_accepts_another_format_for_one_package(connect: Connect, relayed: Settings) -> None:
    with House.open(relayed).ledger.change() as change:
        change.append(RUN, build.started(target_device=Device.RASPBERRY_PI_5), build.profiled())
    person = Person()
    async with connect(given=relayed, elicitation_callback=person) as client:
        assert (await refused(client, "package", run=RUN))["code"] == "FORMAT_DEVICE"
        await done(client, "accept_tradeoff", run=RUN, kind="format")
        assert "format onnx instead of tflite" in person.asked[0]
        state = await state_of(client, RUN)
    assert state["waivers"][0]["subject"]["artifact"] == build.ORIGINAL.sha256


@pytest.mark.promise("P3", "P12")
async def test_on_hold_the_way_back_comes_first_then_the_alternatives_call(connect: Connect, relayed: Settings) -> None:
    hold(relayed)
    async with connect(given=relayed) as client:
        state = await done(client, "get_state", run=RUN)
        first, instead, ask = state["next"]
        assert (first["tool"], first["arguments"]["decision"]) == ("decide", "revert")
        assert (instead["after"], ask["tool"]) == ("decide(revert)", "accept_tradeoff")
        assert "ON HOLD. FAIL: top1 0.8000 against 0.9000" in state["summary"]
        await done(client, first["tool"], **first["arguments"])
        assert (await done(client, "get_state", run=RUN))["next"][0]["arguments"] == instead["arguments"]
