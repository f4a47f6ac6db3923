"""A target whose alias was given to another machine since the run began: nothing is measured there for that run."""

from pathlib import Path

import pytest
import run_builder as build
from workflow import Connect, refused

from edgewright.server.evaluation.agent import follow
from edgewright.server.evaluation.counted import Count, CountedClient
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.artifacts import Device
from edgewright.tools.targets.enrolled import Targets

pytestmark = pytest.mark.anyio


@pytest.mark.promise("P6", "P12")
async def test_a_run_does_not_go_on_on_another_machine_and_its_advice_leads_to_a_stop(
    connect: Connect, settings: Settings, tmp_path: Path
) -> None:
    targets = Targets(settings.state_folder / "targets")
    with House.open(settings).ledger.change() as change:
        started = build.started(target="bench", target_mark=enrolled(targets, "the first machine's key"))
        change.append("run", started, build.profiled(), build.candidate())
    targets.remove("bench")
    enrolled(targets, "another machine's key")
    async with connect() as client:
        refusal = await refused(client, "benchmark", run="run")
        assert (refusal["code"], "enrolled anew" in refusal["why"]) == ("TARGET_WRONG_MACHINE", True)
        assert refusal["next"][0]["arguments"]["decision"] == "revert"
        count = Count()
        assert await follow(refusal, CountedClient(client, count))
    assert (count.calls, count.refusals) == (2, 0)


def enrolled(targets: Targets, host_keys: str) -> str:
    """Enrol a machine as `bench`; return its mark."""
    return targets.add(
        "bench", Device.CPU_GENERIC, host="h", user="u", port=22, identity="", python="python3", host_keys=host_keys
    ).mark
