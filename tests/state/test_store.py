"""The store: a file appears whole, under its own digest, and is never written again."""

import hashlib
import random
from pathlib import Path

import pytest

from edgewright.state.errors import CorruptArtifact
from edgewright.state.files import file_sha256, write_whole
from edgewright.state.store import Store

CONTENT = random.Random(7).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    path = tmp_path / "finished.onnx"
    path.write_bytes(CONTENT)
    return path


def visible(store: Store) -> list[str]:
    return sorted(path.name for path in store.folder.rglob("*") if not path.is_dir())


@pytest.mark.promise("P11")
class TestAdopt:
    def test_an_adopted_file_lies_under_its_digest_and_nowhere_else(self, store: Store, finished: Path) -> None:
        store.adopt(finished, SHA256)
        assert store.verify(SHA256).read_bytes() == CONTENT
        assert visible(store) == [SHA256]
        assert not finished.exists()

    def test_adopting_twice_is_adopting_once(self, store: Store, finished: Path) -> None:
        store.adopt(finished, SHA256)
        before = store.path(SHA256).stat()
        finished.write_bytes(CONTENT)
        store.adopt(finished, SHA256)
        store.adopt(finished, SHA256)
        after = store.path(SHA256).stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        assert visible(store) == [SHA256]

    @pytest.mark.promise("P5")
    def test_an_adopted_file_is_read_only(self, store: Store, finished: Path) -> None:
        store.adopt(finished, SHA256)
        assert store.path(SHA256).stat().st_mode & 0o777 == 0o444

    def test_a_file_without_the_announced_digest_is_refused_and_not_seen(self, store: Store, finished: Path) -> None:
        with pytest.raises(CorruptArtifact, match="digest"):
            store.adopt(finished, hashlib.sha256(b"other").hexdigest())
        assert visible(store) == []
        assert finished.read_bytes() == CONTENT

    def test_a_file_that_is_missing_changes_nothing(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(CorruptArtifact):
            store.adopt(tmp_path / "nothing", SHA256)
        assert visible(store) == []

    def test_a_link_is_not_adopted(self, store: Store, finished: Path, tmp_path: Path) -> None:
        link = tmp_path / "link.onnx"
        link.symlink_to(finished)
        with pytest.raises(CorruptArtifact):
            store.adopt(link, SHA256)
        assert visible(store) == []

    def test_a_failure_on_the_way_shows_no_part_of_the_file(
        self, store: Store, finished: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            store.adopt(finished, SHA256)
        assert visible(store) == []
        assert finished.exists()


@pytest.mark.promise("P11")
class TestVerify:
    @pytest.mark.parametrize("position", random.Random(20).sample(range(len(CONTENT) * 8), 20))
    def test_one_flipped_bit_is_noticed(self, store: Store, finished: Path, position: int) -> None:
        store.adopt(finished, SHA256)
        path = store.path(SHA256)
        changed = bytearray(CONTENT)
        changed[position // 8] ^= 1 << position % 8
        path.chmod(0o644)
        path.write_bytes(changed)
        with pytest.raises(CorruptArtifact, match="changed on disk"):
            store.verify(SHA256)

    @pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"\0"], ids=["empty", "cut off", "longer"])
    def test_another_length_is_noticed(self, store: Store, finished: Path, content: bytes) -> None:
        store.adopt(finished, SHA256)
        store.path(SHA256).chmod(0o644)
        store.path(SHA256).write_bytes(content)
        with pytest.raises(CorruptArtifact):
            store.verify(SHA256)

    def test_a_missing_file_is_noticed(self, store: Store) -> None:
        with pytest.raises(CorruptArtifact, match="no file"):
            store.verify(SHA256)

    @pytest.mark.parametrize("name", ["../../../etc/passwd", "", "ab", SHA256.upper(), SHA256 + "0", "g" * 64])
    def test_what_is_no_digest_names_no_file(self, store: Store, name: str) -> None:
        with pytest.raises((CorruptArtifact, ValueError)):
            store.verify(name)


@pytest.mark.promise("P11")
class TestWriteWhole:
    def test_the_old_content_gives_way_to_the_new_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "answer.json"
        for content in (b"old", b"new"):
            write_whole(path, content)
            assert path.read_bytes() == content
        assert [entry.name for entry in tmp_path.iterdir()] == ["answer.json"]

    def test_a_failure_leaves_the_old_content_and_nothing_beside_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "answer.json"
        write_whole(path, b"old")

        def fail(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            write_whole(path, b"new")
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["answer.json"]

    def test_the_digest_of_a_file_is_its_sha256(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "file", CONTENT)
        assert file_sha256(tmp_path / "file") == SHA256
