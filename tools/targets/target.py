"""What a place must offer to be measured on, and the two places that a job may know."""

from dataclasses import dataclass
from typing import Protocol

from edgewright.tools.targets.answer import Facts, ProbeAnswer
from edgewright.tools.targets.request import ProbeRequest
from edgewright.tools.toolchains.table import NO_TOOLCHAINS, Toolchains
from edgewright.tools.workspace import Progress, Workspace


class Target(Protocol):
    """A place where a measurement is taken."""

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        """Run the probe once, in a fresh process.

        Args:
            request: What to do.
            workspace: Where the files of the request are, and where those of the answer go.
            progress: Told how far the probe is; the workspace's own where it is not given.

        Raises:
            Refused: The model, the data or the place is the reason that there is no answer.
            WorkerFailed: The probe ended without one.
        """


@dataclass(frozen=True)
class Places:
    """Where a job measures.

    Attributes:
        host: This machine. Accuracy is computed here unless the device is asked for: it does not depend on the place.
        device: Where times and memory are taken: the run's target, or the host where it has none.
        toolchains: The environments of their own in which files are converted.
    """

    host: Target
    device: Target
    toolchains: Toolchains = NO_TOOLCHAINS
