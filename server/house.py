"""Everything a call may need, made once per process: settings, ledger, store and jobs of one state folder."""

from dataclasses import dataclass, replace
from pathlib import Path

from edgewright.knowledge.library import Library
from edgewright.server.jobs import Jobs
from edgewright.server.settings import Settings
from edgewright.state.asked import Today
from edgewright.state.errors import EdgewrightError
from edgewright.state.ledger import Ledger
from edgewright.state.run import Run
from edgewright.state.store import Store
from edgewright.tools.authority.enrolment import Authority
from edgewright.tools.targets.enrolled import Targets
from edgewright.tools.toolchains.table import Toolchains


def toolchains_of(settings: Settings) -> Toolchains:
    """Return the environments that frameworks live in."""
    return Toolchains(settings.state_folder / "toolchains")


@dataclass(frozen=True)
class House:
    """The rooms of one state folder.

    Attributes:
        settings: What the operator decided.
        ledger: The record of every run.
        store: Files by digest.
        jobs: Background work.
        targets: What a person enrolled to measure on.
        authority: What a person enrolled here.
        library: Notes to look answers up in.
    """

    settings: Settings
    ledger: Ledger
    store: Store
    jobs: Jobs
    targets: Targets
    authority: Authority
    library: Library

    @classmethod
    def open(cls, settings: Settings) -> "House":
        """Open, or make, the state folder that the settings name."""
        folder = settings.state_folder
        if any(folder.is_relative_to(root) for root in settings.roots):
            raise EdgewrightError(f"the state folder {folder} lies under an allowed root, where callers may write")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "host.lock").touch(mode=0o600)
        ledger, store = Ledger(folder / "edgewright.db"), Store(folder / "objects")
        authority = Authority(folder)
        jobs = Jobs(folder / "jobs", folder / "packages", ledger, store, authority)
        return cls(settings, ledger, store, jobs, Targets(folder / "targets"), authority, Library(folder / "knowledge"))

    def seen(self, run: Run) -> Run:
        """Return a run as it is shown today: with the bounds and the targets that hold now."""
        began = run.started
        enrolled = {
            target.alias: target.kind
            for target in self.targets.all()
            if target.alias != began.target or target.mark == began.target_mark
        }
        return replace(run, today=Today(self.settings.policy, enrolled))

    @property
    def host_lock(self) -> Path:
        """The file that timings on this host lock."""
        return self.settings.state_folder / "host.lock"

    @property
    def toolchains(self) -> Toolchains:
        """The environments that frameworks live in."""
        return toolchains_of(self.settings)

    @property
    def packages(self) -> Path:
        """Where finished packages lie."""
        return self.settings.state_folder / "packages"
