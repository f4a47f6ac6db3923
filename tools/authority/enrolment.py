"""What a person enrols once in a state folder: a passphrase, and the keys that speak for the person and the server.

```
STATE/authority/
  enrolled.json     salt and cost of scrypt, the public half of the person's key
  tries             how often a wrong passphrase was given since the last right one
  server            private key that signs manifests; the server needs it without a person
  allowed_signers   the public halves of both keys, to be pinned where no agent reaches
```

The person's private key is nowhere: scrypt makes it from the passphrase each time. So a signature that stands for the
person cannot be made by whoever only reads or writes this folder.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes

from edgewright.state.codec import decode, encode
from edgewright.state.errors import EdgewrightError
from edgewright.state.files import sync_folder, write_whole
from edgewright.state.lock import held
from edgewright.tools.authority.signatures import Namespace, allowed_line, sign

TRIES = 5
LEAST_CHARACTERS = 12
SERVER, APPROVER = "edgewright-server", "edgewright-approver"
MIB = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What one guess costs: scrypt's N, r and p (RFC 7914).

    The first of the equivalent settings of OWASP's Password Storage Cheat Sheet: 128 MiB, a second or less.
    """

    n: int = 1 << 17
    r: int = 8
    p: int = 1


@dataclass(frozen=True)
class Enrolled:
    """The record of an enrolment.

    Attributes:
        salt: In hexadecimal.
        cost: Of one guess.
        approver: Public key of the person, as OpenSSH writes it.
    """

    salt: str
    cost: Cost
    approver: str


class WrongPassphrase(EdgewrightError):
    """Raised where a passphrase is not the enrolled one, or none may be tried any more; says what is left."""


class Authority:
    """What a person enrolled in one state folder, or the place for it."""

    def __init__(self, state_folder: Path) -> None:
        self.folder = state_folder / "authority"

    @property
    def allowed_signers(self) -> Path:
        """The public halves, in the form in which they are pinned."""
        return self.folder / "allowed_signers"

    @property
    def is_enrolled(self) -> bool:
        """Whether a person enrolled."""
        return (self.folder / "enrolled.json").exists()

    @property
    def tries_left(self) -> int:
        """How many wrong passphrases are still put up with."""
        return TRIES - int((self.folder / "tries").read_text(encoding="ascii"))

    def enrol(self, passphrase: str, cost: Cost | None = None) -> str:
        """Make the keys; return the lines to pin.

        Args:
            passphrase: At least `LEAST_CHARACTERS` long. It is not kept.
            cost: Of one guess.

        Raises:
            EdgewrightError: If somebody is enrolled already, or the passphrase is too short.
        """
        if len(passphrase) < LEAST_CHARACTERS:
            raise EdgewrightError(f"a passphrase has at least {LEAST_CHARACTERS} characters")
        new = self.folder.with_name(f".authority.{os.getpid()}")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        try:
            pinned = _make(new, passphrase, cost or Cost())
            try:
                new.rename(self.folder)  # never over a folder that holds something: nobody enrols twice
            except OSError as error:
                raise EdgewrightError(
                    f"somebody is enrolled in {self.folder} already. Whoever wants to begin anew removes that folder "
                    "first; acceptances and manifests signed by the old keys then no longer count as these"
                ) from error
        finally:
            shutil.rmtree(new, ignore_errors=True)
        sync_folder(self.folder.parent)
        return pinned

    def sign_manifest(self, content: bytes) -> str:
        """Return the server's signature over a manifest.

        Raises:
            BadSignature: If it cannot be made.
        """
        return sign(content, Namespace.MANIFEST, (self.folder / "server").read_bytes())

    def sign_statement(self, content: bytes, passphrase: str) -> str:
        """Return the person's signature over an acceptance.

        Raises:
            WrongPassphrase: If the passphrase is not the enrolled one, or was guessed too often.
            BadSignature: If it cannot be made.
        """
        enrolled = decode(Enrolled, (self.folder / "enrolled.json").read_bytes())
        with self._counted() as tries:
            if tries >= TRIES:
                raise WrongPassphrase(
                    f"a wrong passphrase was given {TRIES} times; a person removes {self.folder} and enrols anew"
                )
            self._count(tries + 1)  # before it is tried: a killed process has tried too
            key = _PersonalKey(passphrase, enrolled.salt, enrolled.cost)
            if key.public != enrolled.approver:
                left = TRIES - tries - 1
                raise WrongPassphrase(f"that is not the enrolled passphrase; {left} of {TRIES} tries are left")
            self._count(0)
        return sign(content, Namespace.WAIVER, key.private)

    @contextmanager
    def _counted(self) -> Iterator[int]:
        """Hold the count of wrong tries: guessers at the same time take turns."""
        lock = self.folder / "lock"
        lock.touch(0o600)
        with held(lock):
            yield int((self.folder / "tries").read_text(encoding="ascii"))

    def _count(self, tries: int) -> None:
        write_whole(self.folder / "tries", str(tries).encode("ascii"))


class _PersonalKey:
    """The Ed25519 key that a passphrase makes."""

    def __init__(self, passphrase: str, salt: str, cost: Cost) -> None:
        seed = hashlib.scrypt(
            passphrase.encode(),
            salt=bytes.fromhex(salt),
            n=cost.n,
            r=cost.r,
            p=cost.p,
            maxmem=128 * cost.n * cost.r * cost.p + 32 * MIB,
            dklen=32,
        )
        self.private, self.public = _ed25519(seed)


def _make(folder: Path, passphrase: str, cost: Cost) -> str:
    """Write everything of an enrolment into a folder; return the lines to pin."""
    salt = token_bytes(16).hex()
    person = _PersonalKey(passphrase, salt, cost)
    private, public = _ed25519(token_bytes(32))
    pinned = allowed_line(SERVER, [Namespace.MANIFEST], public)
    pinned += allowed_line(APPROVER, [Namespace.WAIVER], person.public)
    contents = {
        "enrolled.json": encode(Enrolled(salt, cost, person.public)).encode(),
        "tries": b"0",
        "server": private,
        "allowed_signers": pinned.encode(),
    }
    for name, content in contents.items():
        (folder / name).touch(mode=0o600)
        write_whole(folder / name, content)
        (folder / name).chmod(0o600)
    return pinned


def _ed25519(seed: bytes) -> tuple[bytes, str]:
    """Return the private and the public key of 32 random bytes, as OpenSSH writes them."""
    # Costs start-up time, and only whoever holds a key needs it.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.from_private_bytes(seed)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private, public.decode("ascii")
