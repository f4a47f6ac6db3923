"""Data that does not fit the model, the metric or its purpose is refused where it would first mislead a number."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client
from numpy.typing import NDArray
from workflow import Connect, demo_arguments, done, refused, small_demo, standing_of, state_of

pytestmark = pytest.mark.anyio

Arrays = dict[str, NDArray[Any]]
CLASSES = 10


def other_size(arrays: Arrays) -> None:
    arrays["image"] = arrays["image"][:, :20, :20]


def floats_for_pictures(arrays: Arrays) -> None:
    arrays["image"] = arrays["image"].astype(np.float32)


def labels_of_another_length(arrays: Arrays) -> None:
    arrays["label"] = arrays["label"][:-1]


def a_label_too_high(arrays: Arrays) -> None:
    arrays["label"][3] = CLASSES


def no_samples(arrays: Arrays) -> None:
    for name in arrays:
        arrays[name] = arrays[name][:0]


def no_labels(arrays: Arrays) -> None:
    del arrays["label"]


def python_objects(arrays: Arrays) -> None:
    arrays["image"] = np.array([object()] * len(arrays["image"]), dtype=object)


@pytest.mark.promise("P9", "P12")
@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (other_size, "DATA_MISMATCH", ["(1, 20, 20)", "200 of 200"]),
        (floats_for_pictures, "DATA_INVALID", ["float32 (200, 28, 28, 1)"]),
        (labels_of_another_length, "DATA_INVALID", ["199", "200"]),
        (a_label_too_high, "DATA_INVALID", ["1 labels", "10 at index 3"]),
        (no_samples, "DATA_EMPTY", ["0 samples"]),
        (no_labels, "DATA_INVALID", ["'label'", "image"]),
        (python_objects, "DATA_INVALID", ["Python objects"]),
    ],
)
async def test_validation_data_that_does_not_fit_is_refused_with_the_figures(
    connect: Connect, root: Path, spoil: Callable[[Arrays], None], code: str, said: list[str]
) -> None:
    small_demo(root)
    change(root / "validation.npz", spoil)
    async with connect() as client:
        await refused_before_a_baseline(client, demo_arguments(root), code, said)


@pytest.mark.promise("P9", "P12")
@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"layout": "NHWC"}, "DATA_MISMATCH", ["(28, 28, 1)", "200 of 200"]),
        ({"colour": "RGB"}, "DATA_MISMATCH", ["(3, 28, 28)"]),
        ({"dtype": "float64"}, "DATA_MISMATCH", ["float32", "float64"]),
        ({"resize": {"height": 32, "width": 32}}, "DATA_MISMATCH", ["(1, 32, 32)"]),
        ({"brightness": 2}, "CARD_INVALID", ["brightness", "not a field"]),
        ({"std": 0}, "CARD_INVALID", ["std"]),
        ({"kind": "sound"}, "CARD_INVALID", ["kind"]),
        ({"array": "pictures"}, "DATA_INVALID", ["pictures", "image"]),
    ],
)
async def test_a_card_that_does_not_fit_is_refused_with_the_field_or_the_shapes(
    connect: Connect, root: Path, changed: dict[str, object], code: str, said: list[str]
) -> None:
    small_demo(root)
    card = card_of(root)
    card["inputs"]["image"] |= changed
    async with connect() as client:
        arguments = demo_arguments(root, validation={"path": str(root / "validation.npz"), "card": card})
        await refused_before_a_baseline(client, arguments, code, said)


@pytest.mark.promise("P9", "P12")
async def test_data_without_a_card_is_refused_with_a_card_to_begin_with(connect: Connect, root: Path) -> None:
    (root / "validation.card.json").unlink()
    async with connect() as client:
        arguments = demo_arguments(root)
        refusal = await refused_before_a_baseline(client, arguments, "CARD_MISSING", ["validation.card.json"])
        assert '"kind": "image"' in refusal["do"]


@pytest.mark.promise("P9", "P12")
@pytest.mark.parametrize(
    ("label", "metric", "said"),
    [
        ("label", "rmse", ["10", "1"]),
        (None, "top-1", ["the data has none"]),
    ],
)
async def test_a_metric_that_does_not_fit_the_labels_is_refused(
    connect: Connect, root: Path, label: str | None, metric: str, said: list[str]
) -> None:
    small_demo(root)
    card = card_of(root) | {"label": label}
    if metric != "top-1":
        card["classes"] = None
    async with connect() as client:
        arguments = demo_arguments(root, metric=metric, validation={"path": str(root / "validation.npz"), "card": card})
        await refused_before_a_baseline(client, arguments, "METRIC_MISMATCH", said)


@pytest.mark.promise("P12")
async def test_a_metric_that_nobody_installed_is_refused_with_the_known_ones(connect: Connect, root: Path) -> None:
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, metric="vibes"))
        assert refusal["code"] == "METRIC_UNKNOWN"
        assert "top-1" in refusal["why"]


@pytest.mark.promise("P9", "P12")
async def test_labels_beyond_the_models_outputs_are_refused_where_no_card_names_the_classes(
    connect: Connect, root: Path
) -> None:
    small_demo(root)
    change(root / "validation.npz", a_label_too_high)
    card = card_of(root) | {"classes": None}
    async with connect() as client:
        arguments = demo_arguments(root, validation={"path": str(root / "validation.npz"), "card": card})
        await refused_before_a_baseline(client, arguments, "METRIC_MISMATCH", ["0 to 10", "10 classes", "1 of 200"])


@pytest.mark.promise("P9", "P12")
async def test_numbers_that_are_none_are_refused_with_how_many_and_where(connect: Connect, root: Path) -> None:
    """As tensors, since 8-bit pictures cannot hold them."""
    small_demo(root)

    def spoil(arrays: Arrays) -> None:
        arrays["image"] = arrays["image"].astype(np.float32).reshape(-1, 1, 28, 28)
        arrays["image"][[5, 9], 0, 3, 3] = np.nan, np.inf

    change(root / "validation.npz", spoil)
    card = {"inputs": {"image": {"kind": "tensor", "array": "image"}}, "label": "label"}
    async with connect() as client:
        arguments = demo_arguments(root, validation={"path": str(root / "validation.npz"), "card": card})
        await refused_before_a_baseline(client, arguments, "DATA_INVALID", ["2 of 200", "sample 5"])


def same_as_validation(root: Path) -> None:
    """Under another name, packed anew, in another order: it is the content that counts."""
    with np.load(root / "validation.npz") as data:
        np.savez_compressed(root / "calibration.npz", **{name: data[name][::-1] for name in data.files})


def one_of_validation(root: Path) -> None:
    with np.load(root / "validation.npz") as data:
        shared = data["image"][17]

    def spoil(arrays: Arrays) -> None:
        arrays["image"][40] = shared

    change(root / "calibration.npz", spoil)


def noise(root: Path) -> None:
    def spoil(arrays: Arrays) -> None:
        arrays["image"] = np.random.default_rng(5).integers(0, 256, arrays["image"].shape, np.uint8)

    change(root / "calibration.npz", spoil)


def constant(root: Path) -> None:
    def spoil(arrays: Arrays) -> None:
        arrays["image"] = np.broadcast_to(
            np.arange(100, dtype=np.uint8)[:, None, None, None], arrays["image"].shape
        ).copy()

    change(root / "calibration.npz", spoil)


def duplicated(root: Path) -> None:
    def spoil(arrays: Arrays) -> None:
        for name in arrays:
            arrays[name] = np.concatenate([arrays[name], arrays[name][:30]])

    change(root / "calibration.npz", spoil)


def too_few(root: Path) -> None:
    def spoil(arrays: Arrays) -> None:
        for name in arrays:
            arrays[name] = arrays[name][:99]

    change(root / "calibration.npz", spoil)


def without_scale(root: Path) -> None:
    card = card_of(root)
    del card["inputs"]["image"]["scale"]
    (root / "calibration.card.json").write_text(json.dumps(card), encoding="utf-8")


@pytest.mark.promise("P7", "P12")
@pytest.mark.parametrize(
    ("spoil", "finding", "said"),
    [
        (same_as_validation, "overlapping", ["200 of its samples", "validation set"]),
        (one_of_validation, "overlapping", ["1 of its samples", "validation set"]),
        (noise, "noise", ["100 of 100", "random noise"]),
        (constant, "constant", ["100 of its 100", "one value only"]),
        (duplicated, "duplicated", ["30 of its 130", "repeat"]),
        (too_few, "few", ["99 different samples", "100"]),
        (without_scale, "preprocessing", ["another way"]),
    ],
)
async def test_calibration_data_that_is_unfit_is_refused_for_static_int8_with_the_reason(
    connect: Connect, root: Path, spoil: Callable[[Path], None], finding: str, said: list[str]
) -> None:
    small_demo(root)
    spoil(root)
    async with connect() as client:
        profiled = await done(client, "profile_model", **demo_arguments(root))
        warned = next(warning for warning in profiled["warnings"] if warning.startswith("calibration set"))
        before = await standing_of(client, profiled["run"])
        refusal = await refused(client, "quantize", run=profiled["run"], scheme="int8_static")
        assert refusal["code"] == "CALIBRATION_UNFIT"
        assert "P7" in refusal["promises"]
        assert finding in refusal["numbers"]["findings"]
        for words in said:
            assert words in refusal["why"]
            assert words in warned
        assert await standing_of(client, profiled["run"]) == before


@pytest.mark.promise("P7", "P12")
async def test_without_calibration_data_static_int8_is_refused_and_the_other_schemes_are_not(
    connect: Connect, root: Path
) -> None:
    small_demo(root)
    async with connect() as client:
        run = (await done(client, "profile_model", **demo_arguments(root, calibration=None)))["run"]
        for scheme, code in (
            ("int8_static", "CALIBRATION_MISSING"),
            ("int8_mixed", "CALIBRATION_MISSING"),
            ("int16x8", "SCHEME_NOT_OFFERED"),
        ):
            refusal = await refused(client, "quantize", run=run, scheme=scheme)
            assert refusal["code"] == code
            assert refusal["next"][0]["arguments"].get("scheme") != "int8_static"
        for scheme in ("fp16", "int8_dynamic"):
            assert (await done(client, "quantize", run=run, scheme=scheme, base="original"))["phase"] == "BENCHMARK"
            await done(client, "decide", run=run, decision="revert")


def card_of(root: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((root / "validation.card.json").read_text(encoding="utf-8"))
    return card


def change(path: Path, spoil: Callable[[Arrays], None]) -> None:
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    spoil(arrays)
    np.savez(path, allow_pickle=True, **arrays)


async def refused_before_a_baseline(
    client: Client, arguments: dict[str, object], code: str, said: list[str]
) -> dict[str, Any]:
    """Profile; it must be refused with these words, and the run must have measured nothing."""
    refusal = await refused(client, "profile_model", **arguments)
    assert refusal["code"] == code, refusal
    told = " ".join([refusal["refused"], refusal["why"]])
    assert [words for words in said if words not in told] == [], told
    assert refusal["do"]
    state = await state_of(client, refusal["run"])
    assert (state["phase"], state["profiled"], state["job"]) == ("PROFILE", None, None)
    return refusal
