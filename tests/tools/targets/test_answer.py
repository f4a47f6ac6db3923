"""What a device says of itself passes the door through which it comes, and what is no such answer does not."""

import json
import time
from pathlib import Path

import pytest
from pydantic import ValidationError
from recorded_devices import (
    ORIN_NANO,
    ORIN_NANO_COMMANDS,
    PLAIN_X86,
    RASPBERRY_PI_4,
    RASPBERRY_PI_4_COMMANDS,
    RASPBERRY_PI_5,
    RASPBERRY_PI_5_COMMANDS,
    VIRTUAL_MACHINE,
    recorded,
)

from edgewright.tools.probe.device import device_of
from edgewright.tools.probe.environment import facts
from edgewright.tools.probe.sampler import sample
from edgewright.tools.probe.sampling import summary
from edgewright.tools.targets.answer import ConditionFacts, MachineFacts

DEVICES = {
    "raspberry-pi-4": (RASPBERRY_PI_4, RASPBERRY_PI_4_COMMANDS, ("throttled", "under-voltage")),
    "raspberry-pi-5": (RASPBERRY_PI_5, RASPBERRY_PI_5_COMMANDS, ()),
    "orin-nano": (
        ORIN_NANO,
        ORIN_NANO_COMMANDS,
        ("cooling by gpu-throttle-alert", "current warning on VDD_CPU_GPU_CV"),
    ),
    "plain-x86": (PLAIN_X86, {}, ()),
    "virtual-machine": (VIRTUAL_MACHINE, {}, None),
}


@pytest.mark.promise("P10")
@pytest.mark.parametrize(("files", "commands", "held_back"), DEVICES.values(), ids=DEVICES)
def test_every_devices_answer_is_accepted(
    tmp_path: Path, files: dict[str, str], commands: dict[str, str], held_back: tuple[str, ...] | None
) -> None:
    system = recorded(tmp_path, files, commands)
    machine = MachineFacts.model_validate_json(json.dumps({**facts(system.root, system.runner), "runtimes": {}}))
    assert machine.board == files.get("proc/device-tree/model", "unknown").strip("\0")
    start_ns = time.monotonic_ns()
    lines = [json.loads(json.dumps(sample(system, device_of(system), 1)))]
    conditions = ConditionFacts.model_validate(summary(lines, start_ns, time.monotonic_ns()))
    assert (conditions.samples, conditions.throttled) == (1, held_back)
    assert (conditions.power_mw is None) == (conditions.rail is None)


@pytest.mark.parametrize(
    "wrong", [{"foreign_cores": -1.0}, {"temperature_max_c": float("nan")}, {"throttled": "none"}, {"wind": 3.0}]
)
def test_conditions_that_cannot_be_are_not_believed(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ConditionFacts.model_validate({**summary([], 0, 1), **wrong})
