"""The targets that a person enrolled: where each is, how it is reached, and the host keys that it must show.

Written by `edgewright target` and by nothing else; an agent names an alias.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from edgewright.state.artifacts import Device
from edgewright.state.codec import decode, encode
from edgewright.state.errors import Code, Refused
from edgewright.state.files import file_sha256, write_whole

ALIAS = r"^[a-z0-9][a-z0-9-]{0,31}$"
# They become arguments of ssh and words of a remote shell's command line.
HOST = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$"
USER = r"^[A-Za-z_][A-Za-z0-9._-]{0,31}$"
PYTHON = r"^[A-Za-z0-9_./~-]{1,200}$"


@dataclass(frozen=True)
class Enrolled:
    """One enrolled target.

    Attributes:
        alias: What agents call it.
        kind: What it is.
        host: Name or address.
        user: Account there; an unprivileged one is enough.
        port: Port of its SSH server.
        identity: File of the private key; empty for the keys of the SSH agent.
        python: The interpreter there that has NumPy and a runtime.
        known_hosts: File with the host keys that the person accepted.
        lock: File whose lock a session from this machine holds.
        lock_clocks: Whether the clocks there are held while it is measured.
    """

    alias: str
    kind: Device
    host: str
    user: str
    port: int
    identity: str
    python: str
    known_hosts: str
    lock: str
    lock_clocks: bool = False

    @property
    def mark(self) -> str:
        """What tells this machine from another that is given the same alias later: a digest of its host keys."""
        return file_sha256(Path(self.known_hosts))

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return f"{self.user}@{self.host}:{self.port}"


class Targets:
    """The folder in which enrolments are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[Enrolled, ...]:
        """Return every enrolled target by alias."""
        return tuple(decode(Enrolled, path.read_bytes()) for path in sorted(self._folder.glob("*.json")))

    def named(self, alias: str) -> Enrolled | None:
        """Return the target of that alias."""
        return next((target for target in self.all() if target.alias == alias), None)

    def add(
        self,
        alias: str,
        kind: Device,
        *,
        host: str,
        user: str,
        port: int,
        identity: str,
        python: str,
        host_keys: str,
        lock_clocks: bool = False,
    ) -> Enrolled:
        """Enrol a target.

        Args:
            alias: What agents will call it.
            kind: What it is.
            host: Name or address.
            user: Account there.
            port: Port of its SSH server.
            identity: File of the private key; empty for the SSH agent's.
            python: The interpreter there.
            host_keys: Lines of a known_hosts file that the person accepted.
            lock_clocks: Whether the clocks there are to be held while it is measured.

        Raises:
            Refused: INVALID_ARGUMENT, for a part of another form or an alias that is taken.
        """
        for name, text, form in (("alias", alias, ALIAS), ("host", host, HOST), ("user", user, USER)):
            if not re.match(form, text):
                raise _invalid(name, text, f"it must match {form}")
        if not re.match(PYTHON, python):
            raise _invalid("python", python, f"it must match {PYTHON}")
        if identity and not Path(identity).is_file():
            raise _invalid("identity", identity, "there is no such file")
        if self.named(alias):
            raise _invalid("alias", alias, "it is enrolled already; `edgewright target remove` it first")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        known_hosts, lock = self._folder / f"{alias}.known_hosts", self._folder / f"{alias}.lock"
        write_whole(known_hosts, host_keys.encode())
        lock.touch(mode=0o600)
        enrolled = Enrolled(alias, kind, host, user, port, identity, python, str(known_hosts), str(lock), lock_clocks)
        write_whole(self._folder / f"{alias}.json", encode(enrolled).encode())
        return enrolled

    def remove(self, alias: str) -> None:
        """Forget a target; what was measured on it stays.

        Raises:
            Refused: UNKNOWN_TARGET, if there is none of that alias.
        """
        if self.named(alias) is None:
            raise unknown_target(alias, [target.alias for target in self.all()])
        for ending in ("json", "known_hosts", "lock"):
            (self._folder / f"{alias}.{ending}").unlink(missing_ok=True)


def unknown_target(alias: str, known: list[str]) -> Refused:
    """Return the refusal of an alias that nobody enrolled."""
    return Refused.because(
        Code.UNKNOWN_TARGET,
        f"target {alias!r}",
        "no target of that alias is enrolled; enrolling one is a person's step"
        + (f"; enrolled are {', '.join(known)}" if known else ""),
        "name an enrolled one, have a person run `edgewright target add`, or leave `target` out: the run is then "
        "measured on this host and labelled so",
        "P6",
        known=known,
    )


def _invalid(name: str, text: str, why: str) -> Refused:
    return Refused.because(
        Code.INVALID_ARGUMENT, f"enrolling a target with the {name} {text!r}", why, "correct it and run it again", "P6"
    )
