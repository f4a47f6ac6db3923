"""What a framework's file would make its framework do is seen before any framework opens it."""

import zipfile
from pathlib import Path

import framework_files as files
import pytest

from edgewright.state.errors import Code, Refused
from edgewright.tools.formats import keras_file, pt2_file
from edgewright.tools.profile.framework import Framework, framework_of

NOWHERE = Path("/nowhere")


def test_an_ordinary_keras_archive_and_an_ordinary_program_are_admitted(tmp_path: Path) -> None:
    keras_file.admit(files.write_zip(tmp_path / "net.keras", files.keras_members()))
    pt2_file.admit(files.write_zip(tmp_path / "net.pt2", files.pt2_members()))


def test_what_keras_writes_of_its_own_functions_and_types_is_admitted(tmp_path: Path) -> None:
    function = {"module": "keras.activations", "class_name": "function", "config": "gelu", "registered_name": "gelu"}
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    words = files.layer("StringLookup", vocabulary=["a", "b"])
    members = files.keras_members(files.layer("Dense", units=2, activation=function, dtype=policy), words)
    keras_file.admit(files.write_zip(tmp_path / "net.keras", members))


@pytest.mark.parametrize("kind", sorted(files.hostile_keras(NOWHERE)))
def test_a_keras_archive_that_could_do_more_than_compute_is_refused(kind: str, tmp_path: Path) -> None:
    path = files.write_zip(tmp_path / "net.keras", files.hostile_keras(tmp_path / "marker")[kind])
    with pytest.raises(Refused) as caught:
        keras_file.admit(path)
    assert caught.value.refusal.code in {Code.MODEL_UNSUPPORTED, Code.MODEL_INVALID}
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("kind", sorted(files.hostile_pt2(NOWHERE)))
def test_a_program_that_could_do_more_than_compute_is_refused(kind: str, tmp_path: Path) -> None:
    path = files.write_zip(tmp_path / "net.pt2", files.hostile_pt2(tmp_path / "marker")[kind])
    with pytest.raises(Refused) as caught:
        pt2_file.admit(path)
    assert caught.value.refusal.code in {Code.MODEL_UNSUPPORTED, Code.MODEL_INVALID}
    assert not (tmp_path / "marker").exists()


def test_a_lambda_in_an_hdf5_file_is_seen_in_its_text(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes(b'\x89HDF\r\n\x1a\n....{"class_name": "Dense", "config": {}}....')
    keras_file.admit(path)
    path.write_bytes(b'\x89HDF\r\n\x1a\n....{"class_name": "Lambda", "config": {}}....')
    with pytest.raises(Refused, match="runs code"):
        keras_file.admit(path)


@pytest.mark.parametrize("name", sorted(files.pickles(NOWHERE)))
def test_a_pickle_is_known_by_its_content_and_never_loaded(name: str, tmp_path: Path) -> None:
    path = tmp_path / "renamed.onnx"
    path.write_bytes(files.pickles(tmp_path / "marker")[name])
    assert framework_of(path) in {Framework.PYTORCH, Framework.TORCHSCRIPT, Framework.PICKLE}
    assert not (tmp_path / "marker").exists()


def encrypted(path: Path) -> None:
    files.write_zip(path, files.keras_members())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # general purpose flag, bit 0, of the first central record
    path.write_bytes(content)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.keras_members().items():
            archive.writestr(name, content)
        archive.writestr("assets/zeros", bytes(64 << 20))
        archive.getinfo("assets/zeros").file_size = 1 << 36


def cut_off(path: Path) -> None:
    files.write_zip(path, files.keras_members())
    path.write_bytes(path.read_bytes()[:-30])


def doubled(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (*files.keras_members().items(), ("config.json", "{}")):
            archive.writestr(name, content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("write", [encrypted, bomb, cut_off, doubled])
def test_an_archive_that_cannot_be_what_it_says_is_refused(write: object, tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    write(path)  # type: ignore[operator]
    with pytest.raises(Refused) as caught:
        keras_file.admit(path)
    assert caught.value.refusal.code is Code.MODEL_INVALID
