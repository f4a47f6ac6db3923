"""Files are told by content; whatever is not ONNX is answered with what it is and the way to ONNX."""

import pickle
import struct
import zipfile
from pathlib import Path

import onnx
import onnx_models as models
import pytest

from edgewright.state.errors import Code, Refused
from edgewright.tools.profile.admission import admit_onnx
from edgewright.tools.profile.framework import Framework, framework_of


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"content")
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[Framework, Path]:
    folder = tmp_path / "saved_model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    onnx.save(models.mlp(), tmp_path / "picture.png")
    truncated = models.mlp().SerializeToString()[:1000]
    return {
        Framework.ONNX: tmp_path / "picture.png",
        Framework.ONNX_TRUNCATED: written(tmp_path / "cut.onnx", truncated),
        Framework.PYTORCH: archive(tmp_path / "weights.onnx", "net/data.pkl", "net/data/0", "net/version"),
        Framework.TORCHSCRIPT: archive(tmp_path / "ts", "net/data.pkl", "net/constants.pkl", "net/code/net.py"),
        Framework.PT2: archive(tmp_path / "pt2", "net/archive_format", "net/models/model.json"),
        Framework.PICKLE: written(tmp_path / "pickle", pickle.dumps({"weights": [1, 2]})),
        Framework.KERAS: archive(tmp_path / "keras", "config.json", "metadata.json", "model.weights.h5"),
        Framework.HDF5: written(tmp_path / "h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
        Framework.SAVED_MODEL: folder,
        Framework.TFLITE: written(tmp_path / "tflite", b"\x1c\x00\x00\x00TFL3" + bytes(100)),
        Framework.TENSORRT: written(tmp_path / "engine", b"ftrt" + bytes(100)),
        Framework.SAFETENSORS: written(tmp_path / "st", struct.pack("<Q", 2) + b"{}"),
        Framework.ORT: written(tmp_path / "ort", b"\x18\x00\x00\x00ORTM" + bytes(100)),
        Framework.ARCHIVE: archive(tmp_path / "zip", "readme.txt"),
        Framework.TEXT: written(tmp_path / "text", "schön\n".encode() * 2000),
        Framework.EMPTY: written(tmp_path / "empty", b""),
        Framework.PROTOBUF: written(tmp_path / "pb", b"\x08\x01\x12\x02ab"),
        Framework.UNKNOWN: written(tmp_path / "bytes", b"\xff\xfe\x00\x01" * 30),
    }


def test_content_decides_not_the_name(files: dict[Framework, Path]) -> None:
    assert {framework: framework_of(path) for framework, path in files.items()} == {kind: kind for kind in Framework}


def test_old_torch_files_are_told_from_other_pickles(tmp_path: Path) -> None:
    magic = 0x1950A86A20F9469CFC6C
    assert framework_of(written(tmp_path / "old.pt", pickle.dumps(magic, protocol=2))) is Framework.PYTORCH


def test_other_formats_are_refused_with_the_way_to_onnx(files: dict[Framework, Path]) -> None:
    for framework, path in files.items():
        if framework in {Framework.ONNX, Framework.SAVED_MODEL}:
            continue
        with pytest.raises(Refused) as caught:
            admit_onnx(path)
        refusal = caught.value.refusal
        assert refusal.code in {Code.MODEL_UNSUPPORTED, Code.MODEL_FORMAT_UNKNOWN, Code.MODEL_INVALID}
        assert str(framework) in refusal.why
    for pickled in (Framework.PYTORCH, Framework.PICKLE):
        with pytest.raises(Refused, match="never loaded"):
            admit_onnx(files[pickled])


def test_a_pickle_is_not_unpickled(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    for content in (pickle.dumps(Payload()), pickle.dumps({"torch": Payload()})):
        with pytest.raises(Refused):
            admit_onnx(written(tmp_path / "payload.onnx", content))
    assert not (tmp_path / "ran").exists()


def test_a_broken_zip_is_an_archive_and_nothing_more(tmp_path: Path) -> None:
    assert framework_of(written(tmp_path / "broken", b"PK\x03\x04" + bytes(200))) is Framework.ARCHIVE
