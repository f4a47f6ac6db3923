"""How the families of models that people use want their pictures, for cards to be proposed and tried from.

Sources: torchvision (https://docs.pytorch.org/vision/stable/models.html), Keras (`keras.applications.imagenet_utils`,
modes `tf`, `torch` and `caffe`), Ultralytics (its `LetterBox`), MediaPipe (its `ImageToTensorCalculator`).
"""

from collections.abc import Mapping
from types import MappingProxyType

Fields = Mapping[str, object]

PLAIN: Fields = MappingProxyType({"mean": (0.0,), "std": (1.0,)})
IMAGENET: Fields = MappingProxyType({"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)})

# What is done to the values of a pixel. Only what a family does, not what it is called, tells them apart.
ARITHMETIC: Mapping[str, Fields] = MappingProxyType(
    {
        "0 to 255": {"scale": 1.0, **PLAIN},
        "0 to 1": {"scale": 1 / 255, **PLAIN},
        "-1 to 1": {"scale": 1 / 255, "mean": (0.5,), "std": (0.5,)},
        "0 to 1 with ImageNet's mean and std": {"scale": 1 / 255, **IMAGENET},
        "BGR less ImageNet's mean, as in Caffe": {
            "scale": 1.0,
            "mean": (103.939, 116.779, 123.68),
            "std": (1.0,),
            "colour": "BGR",
        },
    }
)


def torchvision(height: int, width: int) -> Fields:
    """Return a classifier's input: the shorter side to 8/7 of the size, the centre, ImageNet's mean and std."""
    return {
        **fitted(round(height * 256 / 224), round(width * 256 / 224), "shorter_side"),
        "crop": {"height": height, "width": width},
        "layout": "NCHW",
        **ARITHMETIC["0 to 1 with ImageNet's mean and std"],
    }


def keras(height: int, width: int, mode: str) -> Fields:
    """Return a Keras application's input; `mode` is one of `ARITHMETIC`."""
    return {**fitted(height, width, "stretch"), "layout": "NHWC", **ARITHMETIC[mode]}


def yolo(height: int, width: int) -> Fields:
    """Return a YOLO detector's input: everything fits inside, on gray."""
    return {**fitted(height, width, "letterbox", pad=114), "layout": "NCHW", **ARITHMETIC["0 to 1"]}


def mediapipe(height: int, width: int) -> Fields:
    """Return the input of a MediaPipe model: everything fits inside, on black, from 0 to 1."""
    return {**fitted(height, width, "letterbox"), "layout": "NHWC", **ARITHMETIC["0 to 1"]}


def fitted(height: int, width: int, fit: str, interpolation: str = "bilinear", pad: int = 0) -> Fields:
    """Return a resize."""
    resize = {"height": height, "width": width, "fit": fit, "interpolation": interpolation}
    return {"resize": {**resize, **({"pad": pad} if pad else {})}}
