"""What a folder of pictures may hold, and how every other one is answered."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from data_desk import IMAGE_CARD, Card, Desk, picture, scenes, with_fields
from PIL import Image

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.read_images import decode

FOLDER: Card = {**with_fields(IMAGE_CARD, colour="GRAY"), "label": "folder"}
BY_CSV: Card = {**with_fields(IMAGE_CARD, colour="GRAY"), "label": {"csv": "y.csv", "file": "file", "label": "kind"}}


@pytest.fixture
def classes(desk: Desk) -> Path:
    """Three pictures of two classes."""
    folder = desk.root / "set"
    for number, name in enumerate(("cat/a.png", "cat/b.png", "dog/a.png")):
        picture(folder / name, scenes(3)[number, :, :, 0])
    return folder


def test_class_folders_give_labels_in_alphabetical_order(desk: Desk, classes: Path) -> None:
    data = desk.open(classes, FOLDER)
    assert data.labels is not None
    assert data.labels.batch(0, 3).tolist() == [0, 0, 1]
    assert data.dataset.classes == {"cat": 2, "dog": 1}
    assert data.card.classes == ("cat", "dog")
    np.testing.assert_array_equal(data.inputs["x"].batch(0, 3), scenes(3).transpose(0, 3, 1, 2))


def test_the_cards_order_of_classes_wins_and_an_absent_class_keeps_its_number(desk: Desk, classes: Path) -> None:
    data = desk.open(classes, {**FOLDER, "classes": ["bird", "dog", "cat"]})
    assert data.labels is not None
    assert data.labels.batch(0, 3).tolist() == [2, 2, 1]
    assert data.dataset.classes == {"bird": 0, "dog": 1, "cat": 2}


def test_a_class_folder_that_the_card_does_not_know_is_refused(desk: Desk, classes: Path) -> None:
    refusal = desk.refusal(classes, {**FOLDER, "classes": ["cat", "cow"]})
    assert (refusal.code, "dog" in refusal.why) == (Code.DATA_INVALID, True)


def test_pictures_without_labels_may_lie_in_folders_or_not(desk: Desk, classes: Path) -> None:
    picture(classes / "loose.png", scenes(4)[3, :, :, 0])
    card = {"inputs": FOLDER["inputs"]}
    data = desk.open(classes, card)
    assert (data.n, data.labels) == (4, None)
    assert desk.refusal(classes, FOLDER).code is Code.DATA_INVALID


def test_files_that_are_no_pictures_are_left_out_and_said(desk: Desk, classes: Path) -> None:
    (classes / "cat" / "notes.txt").write_text("")
    assert "1 files are no pictures and were left out: notes.txt" in desk.prepare(classes, FOLDER).echo


@pytest.mark.parametrize("labels", [["dog", "cat"], ["1", "0"]])
def test_a_csv_file_names_pictures_and_labels(desk: Desk, classes: Path, labels: list[str]) -> None:
    (classes / "y.csv").write_text(f"id,file,kind\n1,dog/a.png,{labels[0]}\n\n2,cat/a.png,{labels[1]}\n", "utf-8-sig")
    data = desk.open(classes, {**BY_CSV, "classes": ["cat", "dog"]})
    assert data.labels is not None
    assert data.labels.batch(0, 2).tolist() == [1, 0]
    np.testing.assert_array_equal(data.inputs["x"][0][0], scenes(3)[2, :, :, 0])


def test_a_csv_file_of_quantities_gives_floating_labels(desk: Desk, classes: Path) -> None:
    (classes / "y.csv").write_text("file,kind\ndog/a.png,0.5\ncat/a.png,2\n")
    data = desk.open(classes, BY_CSV)
    assert data.labels is not None
    assert data.labels.batch(0, 2).tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.DATA_INVALID),
        ("file,kind\n", Code.DATA_EMPTY),
        ("name,kind\na.png,1\n", Code.DATA_INVALID),
        ("file,file,kind\na.png,a.png,1\n", Code.DATA_INVALID),
        ("file,kind\ncat/a.png\n", Code.DATA_INVALID),
        ("file,kind\ncat/a.png,1\ncat/a.png,1\n", Code.DATA_INVALID),
        ("file,kind\ncat/a.png,nan\n", Code.DATA_INVALID),
        ("file,kind\ncat/a.png,tiger\n", Code.DATA_INVALID),
        ('file,kind\n"cat/a.png,1\n', Code.DATA_INVALID),
        ("file,kind\n" + "a" * 200_000 + ",1\n", Code.DATA_INVALID),
        (",".join(map(str, range(1_000_000))) + "\n", Code.DATA_INVALID),
        ("file,kind\nmissing.png,1\n", Code.NOT_FOUND),
        ("file,kind\n../secret.png,1\n", Code.PATH_OUTSIDE_ROOTS),
        ("file,kind\n/etc/passwd,1\n", Code.NOT_FOUND),
        ("file,kind\ncat,1\n", Code.NOT_A_FILE),
    ],
)
def test_a_csv_file_that_is_none_or_leads_nowhere_is_refused(desk: Desk, classes: Path, text: str, code: Code) -> None:
    picture(desk.root / "secret.png", scenes(1)[0, :, :, 0])
    (classes / "y.csv").write_text(text)
    refusal = desk.refusal(classes, BY_CSV)
    assert refusal.code is code, refusal.sentence
    assert len(refusal.sentence) < 1000


def test_a_csv_file_in_another_encoding_is_refused(desk: Desk, classes: Path) -> None:
    (classes / "y.csv").write_bytes("file,kind\nä.png,1\n".encode("latin-1"))
    assert desk.refusal(classes, BY_CSV).code is Code.DATA_INVALID


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_a_picture_that_is_a_link_is_refused(desk: Desk, classes: Path, tmp_path: Path, link: str) -> None:
    outside = picture(tmp_path / "secret.png", scenes(1)[0, :, :, 0])
    if link == "symbolic":
        (classes / "cat" / "z.png").symlink_to(outside)
    else:
        os.link(outside, classes / "cat" / "z.png")
    assert desk.refusal(classes, FOLDER).code is Code.PATH_IS_LINK


def test_a_folder_with_a_link_to_everything_is_refused(desk: Desk, classes: Path) -> None:
    (classes / "all").symlink_to("/", target_is_directory=True)
    assert desk.refusal(classes, FOLDER).code is Code.PATH_IS_LINK


def test_a_fifo_with_the_name_of_a_picture_is_refused_without_waiting(desk: Desk, classes: Path) -> None:
    os.mkfifo(classes / "cat" / "z.png")
    assert desk.refusal(classes, FOLDER).code is Code.NOT_A_FILE


def test_folders_in_class_folders_are_refused(desk: Desk, classes: Path) -> None:
    picture(classes / "cat" / "more" / "a.png", scenes(1)[0, :, :, 0])
    assert desk.refusal(classes, FOLDER).code is Code.DATA_INVALID


@pytest.mark.parametrize("card", [FOLDER, IMAGE_CARD])
def test_a_folder_without_pictures_is_empty(desk: Desk, card: Card) -> None:
    (desk.root / "set").mkdir()
    assert desk.refusal(desk.root / "set", card).code is Code.DATA_EMPTY


@pytest.mark.parametrize(
    "card",
    [
        {"inputs": {"x": {"kind": "tensor", "array": "x"}}},
        {"inputs": {"x": {"kind": "image", "array": "pixels"}}},
        {**IMAGE_CARD, "label": "y"},
    ],
)
def test_a_card_for_arrays_is_refused_for_a_folder(desk: Desk, classes: Path, card: Card) -> None:
    assert desk.refusal(classes, card).code is Code.CARD_INVALID


def damaged(kind: str, folder: Path) -> bytes:
    path = picture(folder / "p.png", scenes(1, 40, 3)[0])
    content = path.read_bytes()
    match kind:
        case "truncated":
            return content[: len(content) // 2]
        case "flipped":
            changed = bytearray(content)
            changed[len(content) // 2] ^= 0xFF
            return bytes(changed)
        case "text":
            return b"no picture"
        case "empty":
            return b""
        case "gif":
            Image.new("L", (4, 4)).save(folder / "p.gif")
            return (folder / "p.gif").read_bytes()
        case "animated":
            frames = [Image.new("L", (4, 4), shade) for shade in (0, 255)]
            frames[0].save(path, save_all=True, append_images=frames[1:])
            return path.read_bytes()
        case "16 bit":
            Image.fromarray(np.zeros((4, 4), np.uint16)).save(path)
            return path.read_bytes()
        case _:
            side = int(kind.split(maxsplit=1)[0])
            header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
            chunk = b"IHDR" + header
            head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
            return head + content[33:]


@pytest.mark.parametrize(
    "kind", ["truncated", "flipped", "text", "empty", "gif", "animated", "16 bit", "10000 x 10000", "50000 x 50000"]
)
def test_a_picture_that_cannot_be_used_is_refused_by_its_name(
    desk: Desk, classes: Path, tmp_path: Path, kind: str
) -> None:
    (classes / "dog" / "bad.png").write_bytes(damaged(kind, tmp_path))
    refusal = desk.refusal(classes, FOLDER)
    assert refusal.code is Code.DATA_INVALID
    assert refusal.facts["file"] == str(classes / "dog" / "bad.png")
    assert ("pixels allowed" in refusal.why) is ("x" in kind.split())


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3)])
def test_pictures_of_every_8_bit_mode_decode_to_gray_or_colour(tmp_path: Path, mode: str, channels: int) -> None:
    Image.fromarray(scenes(1, 20, 3)[0]).convert(mode).save(tmp_path / "p.png")
    pixels = decode((tmp_path / "p.png").read_bytes(), "p.png")
    assert (pixels.shape, pixels.dtype) == ((20, 20, channels), np.uint8)


def test_a_jpeg_in_cmyk_decodes_to_colour(tmp_path: Path) -> None:
    Image.fromarray(scenes(1, 20, 3)[0]).convert("CMYK").save(tmp_path / "p.jpg")
    assert decode((tmp_path / "p.jpg").read_bytes(), "p.jpg").shape == (20, 20, 3)


def test_the_same_pixels_have_the_same_content_wherever_they_lie(desk: Desk, classes: Path) -> None:
    from_files = desk.open(classes, FOLDER)
    from_array = desk.open(desk.npz(image=scenes(3)), IMAGE_CARD)
    np.testing.assert_array_equal(from_files.contents, from_array.contents)


def test_a_file_larger_than_any_picture_is_not_read_to_its_end(
    desk: Desk, classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewright.tools.datasets.read_images.PICTURE_LIMIT_BYTES", 100)
    with pytest.raises(Refused, match="larger than the 100 bytes"):
        desk.prepare(classes, FOLDER)
