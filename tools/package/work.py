"""What a worker calls to package."""

from pathlib import Path

from edgewright.state.events import Packaged
from edgewright.tools.orders import Done, PackageOrder
from edgewright.tools.package.package import package
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace


def work(order: PackageOrder, workspace: Workspace, places: Places) -> Done:
    """Write and verify a package. It runs on this host, whatever the run's target is."""
    made = package(order, workspace, places.host)
    evidence = Packaged(order.artifact.sha256, Path(made.folder).name, made.manifest_sha256, made.verified)
    return Done(evidence, made.folder)
