"""The operator may ask for certainty: then a candidate that the samples cannot tell from a failing one is not kept."""

from pathlib import Path

import pytest
from workflow import Connect, demo_arguments, done, refused, small_demo, standing_of

from edgewright.server.settings import Settings
from edgewright.state.policy import Rule

pytestmark = pytest.mark.anyio


@pytest.mark.promise("P3", "P12")
async def test_an_undecided_candidate_is_not_kept_and_the_reply_says_how_many_samples_would_decide(
    connect: Connect, settings: Settings, root: Path
) -> None:
    small_demo(root)
    async with connect(given=settings.model_copy(update={"verdict": Rule.CONFIDENT})) as client:
        arguments = demo_arguments(root, accuracy_tolerance=0.01)
        run = (await done(client, "profile_model", **arguments))["run"]
        await done(client, "quantize", run=run, scheme="int8_static", ranges="minmax", base="original")
        await done(client, "benchmark", run=run)
        reply = await done(client, "validate", run=run)
        numbers = reply["numbers"]
        assert (numbers["verdict"], numbers["rule"]) == ("UNDECIDED", "confident")
        paired = numbers["paired"]
        assert paired["low"] <= paired["difference"] <= paired["high"]
        assert paired["gained"] + paired["lost"] <= 200
        assert paired["deciding_n"] > 200
        before = await standing_of(client, run)
        refusal = await refused(client, "decide", run=run, decision="keep")
        assert refusal["code"] == "ACCURACY_BELOW_FLOOR"
        assert refusal["numbers"]["deciding_n"] == paired["deciding_n"]
        assert f"about {paired['deciding_n']} validation samples" in refusal["do"]
        assert await standing_of(client, run) == before
        await done(client, "decide", run=run, decision="revert")
        # What calibration gathered for the first candidate serves the second, whatever its ranges.
        again = await done(client, "quantize", run=run, scheme="int8_static", ranges="percentile", base="original")
        assert any("of an earlier step were used again" in note for note in again["notes"])
