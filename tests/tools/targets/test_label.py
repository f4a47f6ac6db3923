import pytest

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Label
from edgewright.tools.targets.answer import MachineFacts
from edgewright.tools.targets.label import label_of, require_kind

PI_5 = "Raspberry Pi 5 Model B Rev 1.0"
ORIN = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"


def seen(
    machine: str = "aarch64", boot_id: str = "there", board: str = "unknown", virtualisation: str = "unknown"
) -> MachineFacts:
    return MachineFacts(
        machine=machine,
        cpu="c",
        logical_cores=1,
        memory_bytes=1,
        kernel="k",
        python="3.9",
        governor="unknown",
        clock_mhz="unknown",
        vnni="unknown",
        load_1min=None,
        boot_id=boot_id,
        board=board,
        virtualisation=virtualisation,
        runtimes={},
    )


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    ("facts", "label"),
    [
        (seen("x86_64", "here"), Label.HOST),
        (seen("aarch64", "here"), Label.EMULATED),
        (seen("aarch64", "here", PI_5), Label.EMULATED),
        (seen("aarch64"), Label.UNIDENTIFIED),
        (seen("x86_64"), Label.UNIDENTIFIED),
        (seen("x86_64", board=PI_5), Label.UNIDENTIFIED),
        (seen(board="Radxa ROCK 5B"), Label.UNIDENTIFIED),
        (seen(board=PI_5, virtualisation="qemu"), Label.UNIDENTIFIED),
        (seen(board=PI_5, boot_id="unknown"), Label.UNIDENTIFIED),
        (seen(board=PI_5), Label.UNIDENTIFIED),
        (seen(board=PI_5, virtualisation="none"), Label.TARGET),
        (seen(board=ORIN, virtualisation="none"), Label.TARGET),
    ],
)
def test_the_label_follows_boot_architecture_board_and_signs_of_a_virtual_machine(
    facts: MachineFacts, label: Label
) -> None:
    assert label_of(facts, host_machine="x86_64", host_boot_id="here") is label


@pytest.mark.promise("P6")
def test_machines_that_hide_their_boot_are_never_taken_for_a_target() -> None:
    assert label_of(seen("x86_64", "unknown"), host_machine="x86_64", host_boot_id="unknown") is Label.HOST


@pytest.mark.promise("P6", "P8")
@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (seen("x86_64"), Device.RASPBERRY_PI_5),
        (seen(board=ORIN), Device.RASPBERRY_PI_5),
        (seen(board="Raspberry Pi 4 Model B Rev 1.5"), Device.RASPBERRY_PI_5),
        (seen("armv7l", board=PI_5), Device.JETSON_ORIN_NANO),
    ],
)
def test_a_machine_that_contradicts_its_enrolment_is_not_measured(facts: MachineFacts, kind: Device) -> None:
    with pytest.raises(Refused) as caught:
        require_kind(facts, kind, "bench")
    assert caught.value.refusal.code is Code.TARGET_WRONG_MACHINE
    assert str(kind) in caught.value.refusal.why


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (seen("x86_64"), Device.CPU_GENERIC),
        (seen(board=PI_5), Device.RASPBERRY_PI_5),
        (seen(), Device.RASPBERRY_PI_5),  # no board to name: measured, and labelled as what it is
    ],
)
def test_a_machine_that_contradicts_nothing_is_measured(facts: MachineFacts, kind: Device) -> None:
    require_kind(facts, kind, "bench")
