import pytest

from edgewright.state.evidence import Label
from edgewright.tools.targets.answer import MachineFacts
from edgewright.tools.targets.label import label_of


def seen(machine: str, boot_id: str) -> MachineFacts:
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
        runtimes={},
    )


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    ("machine", "boot_id", "label"),
    [
        ("x86_64", "here", Label.HOST),
        ("aarch64", "here", Label.EMULATED),
        ("aarch64", "elsewhere", Label.UNIDENTIFIED),
        ("x86_64", "elsewhere", Label.UNIDENTIFIED),
    ],
)
def test_the_label_follows_the_boot_and_the_architecture(machine: str, boot_id: str, label: Label) -> None:
    assert label_of(seen(machine, boot_id), host_machine="x86_64", host_boot_id="here") is label


@pytest.mark.promise("P6")
def test_machines_that_hide_their_boot_are_never_taken_for_a_target() -> None:
    assert label_of(seen("x86_64", "unknown"), host_machine="x86_64", host_boot_id="unknown") is Label.HOST
