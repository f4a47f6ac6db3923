"""Where a data card says that labels, sound and text come from."""

from typing import Annotated, Literal

from pydantic import Field

from edgewright.tools.datasets.fields import Name, Strict


class CsvLabel(Strict):
    """Labels of a folder's pictures in a CSV file with a header line.

    Attributes:
        csv: File name inside the folder.
        file: Column with the pictures' paths, relative to the folder.
        label: Column with the labels: class names, class numbers, or numbers.
    """

    csv: Name
    file: Name
    label: Name


class CocoLabel(Strict):
    """Boxes or masks of a folder's pictures in a COCO file.

    Attributes:
        coco: The JSON file inside the folder.
        images: Folder inside the folder that the file's picture names start from.
        marks: `boxes`, or `masks` drawn from the outlines (polygons or runs): pixels of a crowd or of two classes do
            not count, nor those without an outline unless a class is called `background`.
    """

    coco: Name
    images: Name = "."
    marks: Literal["boxes", "masks"] = "boxes"


class YoloLabel(Strict):
    """Boxes in one text file a picture: lines of class, centre x, centre y, width, height, as shares of the picture.

    Attributes:
        yolo: Folder of the text files inside the folder. A picture without a file has no box.
        images: Folder of the pictures inside the folder.
    """

    yolo: Name
    images: Name


class VocLabel(Strict):
    """Boxes in one Pascal VOC XML file a picture.

    Attributes:
        voc: Folder of the XML files inside the folder.
        images: Folder of the pictures inside the folder.
    """

    voc: Name
    images: Name


class MaskLabel(Strict):
    """A class a pixel in one PNG file a picture, gray or with a palette; 255 does not count.

    Attributes:
        masks: Folder of the masks inside the folder, named as the pictures are.
        images: Folder of the pictures inside the folder.
    """

    masks: Name
    images: Name


class Audio(Strict):
    """How sound becomes the array `audio`: float32 from -1 to 1, channels averaged, shape (length,).

    Attributes:
        rate: Samples a second that the model takes; files of another rate are resampled.
        length: Samples of each, cut or filled with zeros at the end; left out, each keeps its own.
    """

    rate: Annotated[int, Field(ge=1, le=1_000_000)]
    length: Annotated[int, Field(ge=1, le=1 << 28)] | None = None


class Text(Strict):
    """How text becomes the arrays `ids`, `mask` and `types`: int64, shape (length,).

    Attributes:
        column: Column of the CSV or JSONL file that holds the text.
        tokenizer: File of the `tokenizers` library beside the data.
        length: Tokens of each, cut or padded at the end.
        sha256: Of the tokenizer; filled in when it is read.
    """

    column: Name
    tokenizer: Name
    length: Annotated[int, Field(ge=1, le=65_536)]
    sha256: str | None = None


Label = Name | CsvLabel | CocoLabel | YoloLabel | VocLabel | MaskLabel
"""An array of the .npz, `folder`, a column of a text file, or files of labels."""
