"""The operator's configuration: what agents may touch and how far they may go. No tool writes it.

Read from, strongest first: command-line options, `EDGEWRIGHT_*` environment variables, the TOML file named by
`EDGEWRIGHT_CONFIG` (otherwise `config.toml` in the platform's configuration folder), the defaults here.
"""

import os
from dataclasses import replace
from pathlib import Path

import platformdirs
from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from edgewright.state.policy import Level, Policy, Rule
from edgewright.state.protocols import PROTOCOLS, Protocol, ProtocolName
from edgewright.tools.job_folder import Limits

GIB = 1 << 30


def config_file() -> Path:
    """Return where the operator's configuration is read from, whether it exists or not."""
    named = os.environ.get("EDGEWRIGHT_CONFIG")
    return Path(named) if named else platformdirs.user_config_path("edgewright") / "config.toml"


class Settings(BaseSettings):
    """What the operator decided. Unknown names are refused, so a typing error cannot loosen anything in silence."""

    model_config = SettingsConfigDict(env_prefix="EDGEWRIGHT_", extra="forbid", frozen=True)

    state_folder: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("edgewright"),
        description="Ledger, stored files, jobs and packages",
    )
    roots: tuple[Path, ...] = Field((), description="Folders that models and data may be read from")
    tolerance_cap: float = Field(0.02, ge=0, le=1, description="Largest accuracy tolerance a call may ask for")
    metrics: tuple[str, ...] = Field((), description="Metrics a call may name; empty allows every installed one")
    agreement_as_floor: bool = Field(
        default=False, description="Whether agreement with the original may be the metric where there are no labels"
    )
    least_validation: int = Field(200, ge=1, description="Fewest samples of a validation set")
    least_level: Level = Field(Level.OUT_OF_BAND, description="Lowest level at which a waiver counts")
    allowed_signers: Path | None = Field(
        None, description="Whose signatures count as L3: an allowed-signers file of OpenSSH, out of the agent's reach"
    )
    protocol: ProtocolName = Field(
        ProtocolName.QUICK, description="How latency is measured unless a call asks for more"
    )
    standard_s: float = Field(10, gt=0, description="Timed seconds of `standard`, per model and process")
    sustained_s: float = Field(300, gt=0, description="Timed seconds of `sustained`, per model")
    verdict: Rule = Field(
        Rule.POINT, description="`confident` keeps only what is above the floor with its whole 95 % interval"
    )
    threads: int = Field(1, ge=1, le=256, description="Intra-operator threads of every measurement")
    job_seconds: float = Field(3600, gt=0, description="Wall time after which a job is ended")
    job_memory_bytes: int = Field(8 * GIB, ge=GIB // 4, description="Resident memory at which a job is ended")
    job_file_bytes: int = Field(16 * GIB, ge=1 << 20, description="Largest file that a job may write")
    jobs_at_once: int = Field(4, ge=1, description="Jobs at work at the same time, over all runs")
    wait_s: float = Field(45, ge=0, le=50, description="How long a call waits for its job before it answers `running`")

    @field_validator("roots")
    @classmethod
    def _resolved(cls, roots: tuple[Path, ...]) -> tuple[Path, ...]:
        """What a root leads to is settled now; a link put in its place later leads nowhere."""
        return tuple(root.expanduser().resolve() for root in roots)

    @field_validator("state_folder")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        """A job works in a folder of its own; a relative path would mean another place there."""
        return folder.expanduser().resolve()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the TOML file below the environment; leave out sources that an agent's working folder could supply."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    @property
    def real_roots(self) -> tuple[str, ...]:
        """The roots, links in them resolved once: at the start, by the operator's own word."""
        return tuple(map(str, self.roots))

    @property
    def policy(self) -> Policy:
        """The bounds as the guards read them."""
        return Policy(
            tolerance_cap=self.tolerance_cap,
            metrics=self.metrics,
            agreement_as_floor=self.agreement_as_floor,
            least_validation=self.least_validation,
            least_level=self.least_level,
            protocol=self.protocol,
            rule=self.verdict,
        )

    def protocol_of(self, name: ProtocolName) -> Protocol:
        """Return a protocol as long as the operator has it; no call can change that."""
        usual = PROTOCOLS[name]
        durations_s = {ProtocolName.STANDARD: self.standard_s, ProtocolName.SUSTAINED: self.sustained_s}
        duration_s = durations_s.get(name, usual.duration_s)
        # Waiting for steady times must not outlast what is timed.
        return replace(usual, duration_s=duration_s, settle_s=min(usual.settle_s, duration_s / 2))

    @property
    def limits(self) -> Limits:
        """What each job may use."""
        return Limits(self.job_seconds, self.job_memory_bytes, self.job_file_bytes)
