"""Whoever receives a package finds every change in it: with a pinned key all of them, without one what does not fit."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from package_shop import Shop, open_shop

from edgewright.state.errors import CorruptArtifact
from edgewright.state.policy import Policy, Rule
from edgewright.tools.authority.enrolment import Authority, Cost
from edgewright.tools.authority.signatures import Namespace
from edgewright.tools.package.attestation import attest
from edgewright.tools.package.contents import Unsound
from edgewright.tools.package.statement import SIGNED, statement
from edgewright.tools.package.verification import verify_package

PASSPHRASE = "correct horse battery"


@dataclass(frozen=True)
class Delivery:
    """A signed package and the keys that its receiver pinned."""

    folder: Path
    authority: Authority

    @property
    def pinned(self) -> Path:
        return self.authority.allowed_signers

    def sign(self) -> None:
        """Sign the manifest as the server would: what only whoever has the server's key can do."""
        signature = self.authority.sign_manifest((self.folder / "manifest.json").read_bytes())
        (self.folder / "manifest.json.sig").write_text(signature, encoding="ascii")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    authority = Authority(tmp_path_factory.mktemp("state"))
    authority.enrol(PASSPHRASE, Cost(n=1 << 10))
    shop = open_shop(tmp_path_factory.mktemp("shop"))
    return Delivery(package_of(shop, authority), authority)


def package_of(shop: Shop, authority: Authority) -> Path:
    said = json.loads(json.dumps(statement(shop.run, shop.records, signing=SIGNED)))
    order = shop.order(statement=said)
    folder, made = shop.package(statement=said)
    attest(folder, order, made.manifest_sha256, authority)
    return folder


@pytest.fixture
def delivery(delivered: Delivery, tmp_path: Path) -> Delivery:
    """A copy that a test may spoil."""
    return Delivery(shutil.copytree(delivered.folder, tmp_path / "package"), delivered.authority)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def relist(folder: Path) -> None:
    """Make every hash in the manifest fit the files again."""

    def change(manifest: dict[str, Any]) -> None:
        for file in manifest["files"]:
            content = (folder / file["path"]).read_bytes()
            file.update(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
        listed = {file["path"]: file["sha256"] for file in manifest["files"]}
        for part in ("preprocessing", "evidence", "model"):
            manifest[part]["sha256"] = listed[manifest[part]["file"]]

    rewrite(folder, change)


@pytest.mark.promise("P3")
def test_an_untouched_package_is_verified_where_its_run_was_never_seen(delivered: Delivery) -> None:
    found = verify_package(delivered.folder, delivered.pinned)
    assert found.signer == "edgewright-server"
    assert any("The guards grant every step" in finding for finding in found.findings)
    assert any("stored samples ran in a fresh process" in finding for finding in found.findings)


@pytest.mark.promise("P3")
def test_without_a_pinned_key_nobodys_word_stands_behind_it(delivered: Delivery) -> None:
    found = verify_package(delivered.folder)
    assert found.signer == ""
    assert found.findings[0].startswith("INTEGRITY ONLY")


def places(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield three places of every file: its first byte, one in the middle, its last."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        for place in {0, size // 2, size - 1}:
            yield path, place


@pytest.mark.promise("P3")
def test_one_changed_byte_of_any_file_is_found(delivery: Delivery) -> None:
    checked = 0
    for path, place in places(delivery.folder):
        whole = path.read_bytes()
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Unsound):
            verify_package(delivery.folder, delivery.pinned)
        path.write_bytes(whole)
        checked += 1
    assert checked > 40
    assert verify_package(delivery.folder, delivery.pinned).signer


@pytest.mark.promise("P3")
def test_a_file_that_is_missing_added_or_linked_is_found(delivery: Delivery, tmp_path: Path) -> None:
    report = delivery.folder / "report.md"
    kept = report.read_bytes()
    report.unlink()
    with pytest.raises(Unsound, match=r"report\.md is missing"):
        verify_package(delivery.folder, delivery.pinned)
    (tmp_path / "report.md").write_bytes(kept)
    report.symlink_to(tmp_path / "report.md")
    with pytest.raises(Unsound, match="no plain file"):
        verify_package(delivery.folder, delivery.pinned)
    report.unlink()
    report.write_bytes(kept)
    (delivery.folder / "sitecustomize.py").write_text("")
    with pytest.raises(Unsound, match="not in the manifest"):
        verify_package(delivery.folder, delivery.pinned)


@pytest.mark.promise("P3")
def test_a_consistent_rewrite_of_model_figures_and_all_hashes_is_found_with_a_pinned_key(
    delivery: Delivery, tmp_path: Path
) -> None:
    (tmp_path / "other-shop").mkdir()
    other = open_shop(tmp_path / "other-shop", name="toy")
    stranger = Authority(tmp_path / "stranger")
    stranger.enrol("another passphrase", Cost(n=1 << 10))
    forged = package_of(other, stranger)  # everything in it fits: it is a whole run of the forger's own
    assert verify_package(forged).signer == ""
    with pytest.raises(Unsound):
        verify_package(forged, delivery.pinned)
    shutil.copy(delivery.folder / "manifest.json.sig", forged / "manifest.json.sig")
    with pytest.raises(Unsound):
        verify_package(forged, delivery.pinned)


@pytest.mark.promise("P3")
def test_a_manifest_that_says_it_is_unsigned_is_not_believed_where_a_key_was_pinned(delivery: Delivery) -> None:
    def unsign(manifest: dict[str, Any]) -> None:
        manifest["signing"] = {"status": "unsigned: no key enrolled", "file": None, "namespace": None}

    rewrite(delivery.folder, unsign)
    (delivery.folder / "manifest.json.sig").unlink()
    assert "INTEGRITY ONLY" in verify_package(delivery.folder).findings[0]
    with pytest.raises(Unsound, match="not signed"):
        verify_package(delivery.folder, delivery.pinned)


FIGURES: list[Callable[[dict[str, Any]], None]] = [
    lambda manifest: manifest["accuracy"].update(value=0.99),
    lambda manifest: manifest["accuracy"].update(floor=0.1),
    lambda manifest: manifest["benchmarks"]["model"].update(mean_ms=0.001),
    lambda manifest: manifest["benchmarks"]["model"].update(label="Measured on target"),
    lambda manifest: manifest["accuracy"].update(baseline_label="Measured on target"),
    lambda manifest: manifest["accuracy"].update(interval_of_difference=None),
    lambda manifest: manifest.update(labels=["Measured on target"]),
    lambda manifest: manifest["provenance"]["chain"].pop(0),
    lambda manifest: manifest.update(target_device="jetson-orin-nano"),
    lambda manifest: manifest["acceptances"].append({"nonce": "x"}),
    lambda manifest: manifest["policy"].update(least_level="L9"),
    lambda manifest: manifest["smoke"]["samples"].clear(),
    lambda manifest: manifest["smoke"]["samples"][0].update(prepared="../../etc/passwd"),
    lambda manifest: manifest["files"].append({"path": "../x", "sha256": "0" * 64, "size_bytes": 1}),
    lambda manifest: manifest.pop("evidence"),
    lambda manifest: manifest.update(files=3),
]


@pytest.mark.promise("P3", "P4")
@pytest.mark.parametrize("change", FIGURES, ids=range(len(FIGURES)))
def test_a_figure_that_does_not_follow_from_the_evidence_is_found_even_under_a_good_signature(
    delivery: Delivery, change: Callable[[dict[str, Any]], None]
) -> None:
    rewrite(delivery.folder, change)
    delivery.sign()
    with pytest.raises(Unsound):
        verify_package(delivery.folder, delivery.pinned)


def rechain(folder: Path, kind: str, change: Callable[[dict[str, Any]], None] | None) -> None:
    """Change or leave out the records of a kind, and make the chain and all hashes fit again."""
    path = folder / "evidence.json"
    evidence = json.loads(path.read_text())
    records, previous = [], evidence["genesis"]
    for record in evidence["records"]:
        if record["kind"] == kind:
            if change is None:
                continue
            data = json.loads(record["data"])
            change(data)
            record["data"] = json.dumps(data, sort_keys=True, separators=(",", ":"))
        record.update(number=len(records) + 1, previous=previous)
        parts = (previous, record["run"], str(record["number"]), record["at"], record["kind"], record["data"])
        record["hash"] = previous = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        records.append(record)
    path.write_text(json.dumps({**evidence, "records": records, "head": previous}))
    relist(folder)


REWRITES: list[tuple[str, Callable[[dict[str, Any]], None] | None]] = [
    ("AccuracyRecorded", lambda data: data["accuracy"].update(value=0.5)),
    ("AccuracyRecorded", None),
    ("BenchmarkRecorded", None),
    ("BenchmarkRecorded", lambda data: data["benchmark"].update(valid=False)),
    ("Started", lambda data: data.update(accuracy_tolerance=0.9)),
    ("Profiled", lambda data: data["baseline"]["latency"].update(runs=5)),
    ("Kept", None),
]


@pytest.mark.promise("P1", "P2", "P3")
@pytest.mark.parametrize(("kind", "change"), REWRITES, ids=range(len(REWRITES)))
def test_evidence_that_its_guards_would_not_have_let_through_is_found_even_under_a_good_signature(
    delivery: Delivery, kind: str, change: Callable[[dict[str, Any]], None] | None
) -> None:
    rechain(delivery.folder, kind, change)
    delivery.sign()
    with pytest.raises(Unsound):
        verify_package(delivery.folder, delivery.pinned)


@pytest.mark.promise("P3")
def test_a_model_that_answers_otherwise_is_found_even_where_all_hashes_fit(delivery: Delivery) -> None:
    sample = delivery.folder / "smoke" / "0-expected.npz"
    shutil.copy(delivery.folder / "smoke" / "1-expected.npz", sample)
    relist(delivery.folder)
    delivery.sign()
    with pytest.raises(Unsound, match="did not run as recorded"):
        verify_package(delivery.folder, delivery.pinned)


@pytest.mark.promise("P4")
def test_the_scripts_of_a_package_that_is_verified_are_not_run(delivery: Delivery, tmp_path: Path) -> None:
    for name in ("inference.py", "preprocessing.py"):
        script = delivery.folder / name
        script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{script.read_text()}")
    relist(delivery.folder)
    delivery.sign()
    verify_package(delivery.folder, delivery.pinned)
    assert not (tmp_path / "ran").exists()


def spoil(name: str) -> Callable[[Path], None]:
    """Return what changes a file of a package and makes every hash in the manifest fit it again."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
        relist(folder)

    return change


def add_a_file(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text("")
    rewrite(folder, lambda manifest: manifest["files"].append({"path": "sitecustomize.py"}))
    relist(folder)


UNSAID: dict[str, Callable[[Path], None]] = {
    "a figure": lambda folder: rewrite(folder, lambda manifest: manifest["accuracy"].update(value=0.99)),
    "a date": lambda folder: rewrite(folder, lambda manifest: manifest.update(created="2020-01-01T00:00:00+00:00")),
    "a tolerance": lambda folder: rewrite(folder, lambda manifest: manifest["smoke"].update(tolerance=1e9)),
    "a field": lambda folder: rewrite(folder, lambda manifest: manifest.update(note="100x faster")),
    "a preprocessing": lambda folder: rewrite(folder, lambda manifest: manifest["preprocessing"].update(digest="0")),
    "a record": lambda folder: rechain(folder, "Kept", None),
    "a file more": add_a_file,
    "a model": spoil("toy_simplify_fp32.onnx"),
    "a report": spoil("report.md"),
    "a script": spoil("inference.py"),
}


@pytest.mark.promise("P4")
def test_the_server_signs_nothing_but_what_it_said(tmp_path: Path, delivered: Delivery) -> None:
    shop = open_shop(tmp_path)
    order = shop.order(statement=json.loads(json.dumps(statement(shop.run, shop.records, signing=SIGNED))))
    made, _ = shop.package(statement=order.statement)
    for what, change in UNSAID.items():
        folder = shutil.copytree(made, tmp_path / what)
        change(folder)
        digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        with pytest.raises(CorruptArtifact):
            attest(folder, order, digest, delivered.authority)
        assert not (folder / "manifest.json.sig").exists(), what
    attest(made, order, hashlib.sha256((made / "manifest.json").read_bytes()).hexdigest(), delivered.authority)
    assert (made / "manifest.json.sig").exists()


@pytest.mark.promise("P3")
def test_a_verdict_is_verified_by_the_rule_that_held_when_it_was_packaged(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    confident = replace(Policy(), rule=Rule.CONFIDENT)
    said = json.loads(json.dumps(statement(shop.run, shop.records, policy=confident)))
    assert said["manifest"]["accuracy"]["rule"] == "confident"
    folder, _ = shop.package(statement=said)
    assert verify_package(folder).findings
    rewrite(folder, lambda manifest: manifest["policy"].update(rule="point"))
    with pytest.raises(Unsound, match="differ in accuracy"):
        verify_package(folder)


def test_the_names_that_a_receiver_pins_are_those_of_the_two_keys(delivered: Delivery) -> None:
    lines = delivered.pinned.read_text().splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["edgewright-server", f'namespaces="{Namespace.MANIFEST}"'],
        ["edgewright-approver", f'namespaces="{Namespace.WAIVER}"'],
    ]
