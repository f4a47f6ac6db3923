"""OpenSSH's own tool makes and checks every signature; what is not exactly what was signed does not hold."""

import base64
import subprocess
from pathlib import Path

import pytest

from edgewright.tools.authority.enrolment import Authority, Cost
from edgewright.tools.authority.signatures import BadSignature, Namespace, check, verify

PASSPHRASE = "correct horse battery"
CHEAP = Cost(n=1 << 10)
CONTENT = b'{"manifest": true}\n'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("state"))
    made.enrol(PASSPHRASE, CHEAP)
    return made


@pytest.mark.promise("P3")
def test_both_keys_sign_what_their_namespace_is_about_and_nothing_else(authority: Authority) -> None:
    manifest = authority.sign_manifest(CONTENT)
    waiver = authority.sign_statement(CONTENT, PASSPHRASE)
    pinned = authority.allowed_signers
    assert verify(CONTENT, manifest, Namespace.MANIFEST, pinned) == "edgewright-server"
    assert verify(CONTENT, waiver, Namespace.WAIVER, pinned) == "edgewright-approver"
    for signature, namespace in ((manifest, Namespace.WAIVER), (waiver, Namespace.MANIFEST)):
        with pytest.raises(BadSignature):
            verify(CONTENT, signature, namespace, pinned)


def test_whoever_has_openssh_can_check_a_manifest_without_edgewright(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "manifest.json.sig").write_text(authority.sign_manifest(CONTENT), encoding="ascii")
    command = ["ssh-keygen", "-Y", "verify", "-f", str(authority.allowed_signers), "-I", "edgewright-server"]
    named = ["-n", "edgewright-manifest", "-s", str(tmp_path / "manifest.json.sig")]
    ended = subprocess.run([*command, *named], input=CONTENT, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.promise("P3")
def test_no_byte_of_what_was_signed_or_of_its_signature_can_change(authority: Authority) -> None:
    signature = authority.sign_manifest(CONTENT)
    assert "Good" in check(CONTENT, signature, Namespace.MANIFEST)
    changed = [CONTENT[:-1], CONTENT + b" ", CONTENT.replace(b"true", b"True"), b""]
    for content in changed:
        with pytest.raises(BadSignature):
            check(content, signature, Namespace.MANIFEST)
    places = range(0, len(signature), 17)
    altered = [signature[:place] + chr(ord(signature[place]) ^ 1) + signature[place + 1 :] for place in places]
    blob = bytearray(base64.b64decode("".join(signature.splitlines()[1:-1])))
    assert blob[9] == 1
    blob[9] = 0  # the version, which the tool itself lets pass
    text = base64.b64encode(blob).decode()
    lower = [text[start : start + 70] for start in range(0, len(text), 70)]
    altered.append("\n".join([signature.splitlines()[0], *lower, signature.splitlines()[-1], ""]))
    for other in [*altered, signature + "\n", "note\n" + signature, signature.replace("\n", "\r\n"), "", "\0"]:
        with pytest.raises(BadSignature):
            check(CONTENT, other, Namespace.MANIFEST)


def test_a_key_that_nobody_pinned_is_nobodys(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path)
    stranger.enrol("another passphrase", CHEAP)
    with pytest.raises(BadSignature):
        verify(CONTENT, stranger.sign_manifest(CONTENT), Namespace.MANIFEST, authority.allowed_signers)
