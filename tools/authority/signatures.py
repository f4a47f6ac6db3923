"""Signatures in OpenSSH's format (PROTOCOL.sshsig), made and checked by `ssh-keygen -Y`.

OpenSSH's own tool: no cryptographic format is implemented here, keys on FIDO tokens and in agents work, and whoever
receives a package can check it with the same command and without Edgewright.
"""

import base64
import binascii
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from edgewright.state.errors import EdgewrightError
from edgewright.tools.inheritance import inherited
from edgewright.tools.legible import legible

_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\n"
_LINE_CHARACTERS = 70
# Magic and version (PROTOCOL.sshsig). The tool takes lower versions for this one, and no signature is over that field.
_PREAMBLE = b"SSHSIG" + (1).to_bytes(4, "big")
LONGEST_CHARACTERS = 20_000
SECONDS = 60  # a token waits for a touch


class Namespace(StrEnum):
    """What a signature is about; one made for the one is none for the other."""

    MANIFEST = "edgewright-manifest"
    WAIVER = "edgewright-waiver"


class BadSignature(EdgewrightError):
    """Raised where a signature does not hold, or cannot be made or checked; says why."""


def available() -> bool:
    """Whether OpenSSH's tool is installed."""
    return shutil.which("ssh-keygen") is not None


def sign(content: bytes, namespace: Namespace, private_key: bytes) -> str:
    """Return the armored signature over `content`.

    Args:
        content: What is signed.
        namespace: What it is about.
        private_key: An unencrypted private key in OpenSSH's format. It reaches the tool in memory, never on a disk.

    Raises:
        BadSignature: If the tool is missing or refuses.
    """
    memory = os.memfd_create("key", os.MFD_CLOEXEC)
    try:
        os.fchmod(memory, 0o600)  # the tool refuses a key that others may read
        os.write(memory, private_key)
        return _run(["-q", "-Y", "sign", "-f", f"/proc/self/fd/{memory}", "-n", namespace], content, [memory])
    finally:
        os.close(memory)


def verify(content: bytes, signature: str, namespace: Namespace, allowed_signers: Path) -> str:
    """Return who signed `content`, by the name that the file of allowed signers gives him.

    Args:
        content: What is said to be signed.
        signature: Armored.
        namespace: What it must be about.
        allowed_signers: In the form that ssh-keygen(1) describes under ALLOWED SIGNERS.

    Raises:
        BadSignature: If it does not hold, or nobody in the file made it.
    """
    with _file_of(signature) as path:
        named = ["-f", str(allowed_signers), "-s", path]
        principals = _run(["-Y", "find-principals", *named], b"").splitlines()
        if not principals:
            raise BadSignature(f"{allowed_signers.name} names nobody who made this signature")
        principal = principals[0].split(",")[0]
        _run(["-Y", "verify", "-I", principal, "-n", namespace, *named], content)
        return principal


def check(content: bytes, signature: str, namespace: Namespace) -> str:
    """Return what the tool says of a signature that holds, whoever made it: nobody is trusted by this.

    Raises:
        BadSignature: If it does not hold.
    """
    with _file_of(signature) as path:
        return _run(["-Y", "check-novalidate", "-n", namespace, "-s", path], content).strip()


def allowed_line(principal: str, namespaces: Iterable[Namespace], public_key: str) -> str:
    """Return a line of an allowed-signers file."""
    return f'{principal} namespaces="{",".join(namespaces)}" {public_key}\n'


@contextmanager
def _file_of(signature: str) -> Iterator[str]:
    """Yield the path of a file that holds a signature, if it is written the one way that the tool writes it.

    The tool itself overlooks what stands around the armor; then a byte of the file could change unnoticed.
    """
    if signature != _written_anew(signature):
        raise BadSignature("the signature is not in the form in which OpenSSH writes it")
    with tempfile.NamedTemporaryFile(prefix="signature-") as file:
        file.write(signature.encode("ascii"))
        file.flush()
        yield file.name


def _written_anew(signature: str) -> str | None:
    if len(signature) > LONGEST_CHARACTERS or not signature.startswith(_BEGIN) or not signature.endswith(_END):
        return None
    try:
        blob = base64.b64decode(signature[len(_BEGIN) : -len(_END)].replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not blob.startswith(_PREAMBLE):
        return None
    text = base64.b64encode(blob).decode("ascii")
    lines = [text[start : start + _LINE_CHARACTERS] for start in range(0, len(text), _LINE_CHARACTERS)]
    return f"{_BEGIN}{chr(10).join(lines)}\n{_END}"


def _run(arguments: list[str], content: bytes, pass_fds: Iterable[int] = ()) -> str:
    """Run the tool over `content`; return what it prints."""
    try:
        ended = subprocess.run(
            ["ssh-keygen", *arguments],
            input=content,
            capture_output=True,
            env=inherited(LC_ALL="C"),
            pass_fds=tuple(pass_fds),
            check=False,
            timeout=SECONDS,
        )
    except FileNotFoundError as error:
        raise BadSignature("ssh-keygen is not installed (Debian: apt install openssh-client)") from error
    except subprocess.TimeoutExpired as error:
        raise BadSignature(f"ssh-keygen did not answer within {SECONDS} s") from error
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).decode("utf-8", "replace").strip().splitlines()
        raise BadSignature(f"ssh-keygen: {legible(said[-1], 200) if said else f'status {ended.returncode}'}")
    return ended.stdout.decode("utf-8", "replace")
