"""A package does what was measured, says where it comes from, and runs for someone who knows only its schema."""

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx_models as models
import pytest
from jsonschema import Draft202012Validator
from package_shop import ShopOf
from PIL import Image

from edgewright.state.errors import Code, Refused
from edgewright.state.phases import Call, Phase, legal_calls
from edgewright.tools.datasets.decoding import YoloDecoder
from edgewright.tools.datasets.sources import Audio, Text
from edgewright.tools.package.manifest import SCHEMA_ID, manifest_schema

SCHEMA = json.loads(manifest_schema())
# What a receiver runs who was given the schema and the package, and knows nothing of Edgewright.
CONSUMER = """
import json, os, sys
import numpy as np
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime
folder = sys.argv[1]
manifest = json.load(open(os.path.join(folder, "manifest.json")))
inputs = json.load(open(os.path.join(folder, manifest["preprocessing"]["file"])))["inputs"]
session = onnxruntime.InferenceSession(os.path.join(folder, manifest["model"]["file"]))
for sample in manifest["smoke"]["samples"]:
    raw = np.load(os.path.join(folder, sample["raw"]))
    feeds = {}
    for entry in inputs:
        value = raw[entry["array"]]
        for step in entry["steps"]:
            match step:
                case "scale": value = value.astype("float32") * np.float32(entry["scale"])
                case "mean": value = value - np.array(entry["mean"], "float32")
                case "std": value = value / np.array(entry["std"], "float32")
                case "dtype": value = value.astype(entry["dtype"])
                case "layout" if entry["layout"] == "NCHW": value = value.transpose(2, 0, 1)
                case "batch_size" if entry["batch_size"] is not None: value = np.stack([value] * entry["batch_size"])
        feeds[entry["name"]] = value
    found = session.run(None, feeds)
    expected = np.load(os.path.join(folder, sample["expected"]))
    for place in range(len(found)):
        right = expected[f"output_{place}"]
        apart = np.abs(found[place] - right).max() / np.abs(right).max()
        assert apart <= manifest["smoke"]["tolerance"], apart
print(len(manifest["smoke"]["samples"]))
"""


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    # -I and -B: nothing of the tests' own paths, and no file beside those of the manifest.
    return subprocess.run(
        [sys.executable, "-I", "-B", *command], cwd=cwd, capture_output=True, text=True, check=False, env={}
    )


def descriptions(schema: object, path: str = "") -> list[str]:
    """Return the paths of fields without a description of their own or of what they refer to."""
    missing = []
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            target = SCHEMA["$defs"][field["$ref"].rsplit("/", 1)[1]] if "$ref" in field else {}
            if "description" not in field and "description" not in target:
                missing.append(f"{path}/{name}")
        for key, value in schema.items():
            missing += descriptions(value, f"{path}/{key}")
    if isinstance(schema, list):
        for number, value in enumerate(schema):
            missing += descriptions(value, f"{path}/{number}")
    return missing


def test_the_schema_is_valid_and_describes_every_field() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == SCHEMA_ID
    assert descriptions(SCHEMA) == []


@pytest.mark.parametrize("kept", [True, False], ids=["a kept candidate", "the unmodified original"])
def test_every_document_of_a_package_is_as_the_schema_says(shop_of: ShopOf, kept: bool) -> None:  # noqa: FBT001
    folder, _ = shop_of(kept=kept).package()
    jsonschema.validate(read(folder / "manifest.json"), SCHEMA, Draft202012Validator)
    for name in ("preprocessing", "evidence"):
        part = {"$ref": f"#/$defs/{name}_file", "$defs": SCHEMA["$defs"]}
        jsonschema.validate(read(folder / f"{name}.json"), part, Draft202012Validator)


@pytest.mark.parametrize(
    "fields",
    [
        {"decoder": YoloDecoder(kind="yolo-v8").model_dump(mode="json")},
        {"decoder": None, "audio": Audio(rate=16_000).model_dump()},
        {"decoder": None, "text": Text(column="text", tokenizer="t.json", length=8, sha256="0" * 64).model_dump()},
    ],
    ids=["a decoder", "sound", "text"],
)
def test_the_schema_knows_everything_that_a_card_adds_to_the_preprocessing(fields: dict[str, object]) -> None:
    part = SCHEMA["$defs"]["preprocessing_file"]
    known = {name: part["properties"][name] for name in fields}  # a KeyError is a field that no receiver expects
    jsonschema.validate(fields, {"properties": known, "$defs": SCHEMA["$defs"]}, Draft202012Validator)


def test_the_manifest_lists_every_file_and_nothing_else_lies_there(shop_of: ShopOf) -> None:
    folder, made = shop_of().package()
    listed = {file["path"]: file for file in read(folder / "manifest.json")["files"]}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {*listed, "manifest.json"}
    for path, file in listed.items():
        content = (folder / path).read_bytes()
        assert (file["sha256"], file["size_bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert made.manifest_sha256 == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


@pytest.mark.promise("P5")
def test_the_chain_leads_from_the_original_to_the_file_that_is_shipped(shop_of: ShopOf) -> None:
    shop = shop_of()
    folder, _ = shop.package()
    said = read(folder / "manifest.json")
    chain = said["provenance"]["chain"]
    assert chain[0]["sha256"] == hashlib.sha256(shop.original.read_bytes()).hexdigest()
    assert [link["parent"] for link in chain] == [None, chain[0]["sha256"]]
    assert chain[-1]["sha256"] == said["model"]["sha256"]
    assert said["model"]["file"] == "toy_simplify_fp32.onnx"
    assert hashlib.sha256((folder / said["model"]["file"]).read_bytes()).hexdigest() == said["model"]["sha256"]


def test_the_original_is_shipped_under_a_descriptive_name(shop_of: ShopOf) -> None:
    folder, _ = shop_of(kept=False, name="my $(model)").package()
    assert (folder / "my-model_original_fp32.onnx").is_file()


@pytest.mark.promise("P4")
def test_the_evidence_can_be_checked_without_the_server(shop_of: ShopOf) -> None:
    folder, _ = shop_of().package()
    evidence = read(folder / "evidence.json")
    previous = evidence["genesis"]
    for number, record in enumerate(evidence["records"], start=1):
        parts = (previous, record["run"], str(record["number"]), record["at"], record["kind"], record["data"])
        assert record["number"] == number
        assert record["hash"] == hashlib.sha256("\n".join(parts).encode()).hexdigest()
        previous = record["hash"]
    assert evidence["head"] == previous


def test_no_file_but_the_evidence_names_a_folder_of_this_machine(shop_of: ShopOf, tmp_path: Path) -> None:
    folder, _ = shop_of().package()
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "evidence.json":
            content = path.read_bytes()
            assert str(tmp_path).encode() not in content, path
            assert b"secret-folder" not in content, path
            assert boot not in content, path


@pytest.mark.promise("P6")
def test_the_manifest_says_what_nobody_measured(shop_of: ShopOf) -> None:
    folder, _ = shop_of().package()
    said = read(folder / "manifest.json")
    assert said["labels"] == ["Host Estimate (not target hardware)"]
    assert any("Latency" in gap and "cpu-generic" in gap for gap in said["unmeasured"])
    assert any("sustained" in gap for gap in said["unmeasured"])
    assert said["benchmarks"]["model"]["withheld"] == {"p99": "needs 662 runs"}


@pytest.mark.promise("P9")
def test_someone_who_knows_only_the_schema_can_run_it(shop_of: ShopOf, tmp_path: Path) -> None:
    plain = {"inputs": {"image": {"kind": "image", "array": "picture", "scale": 1 / 255, "mean": 0.5, "std": 0.25}}}
    pixels = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), np.uint8)
    folder, _ = shop_of(arrays={"picture": pixels}, card=plain).package()
    ended = run("-c", CONSUMER, str(folder), cwd=tmp_path)
    assert (ended.stdout.strip(), ended.stderr) == ("4", "")


def test_a_raw_sample_and_its_prepared_form_give_the_same_answer(shop_of: ShopOf) -> None:
    folder, made = shop_of().package()
    raw = run("inference.py", "smoke/0-raw.npz", cwd=folder)
    prepared = run("inference.py", "--prepared", "smoke/0-prepared.npz", cwd=folder)
    assert json.loads(raw.stdout) == json.loads(prepared.stdout)
    expected = np.load(folder / "smoke/0-expected.npz")["output_0"]
    np.testing.assert_allclose(json.loads(raw.stdout)["outputs"]["logits"], expected, rtol=1e-4, atol=1e-5)
    assert "Preprocessing of 4 raw samples" in made.verified[2]


def test_a_picture_file_can_be_given_instead_of_arrays(shop_of: ShopOf, tmp_path: Path) -> None:
    folder, _ = shop_of().package()
    Image.fromarray(np.load(folder / "smoke/1-raw.npz")["picture"]).save(tmp_path / "one.png")
    from_file = run("inference.py", str(tmp_path / "one.png"), cwd=folder)
    from_arrays = run("inference.py", "smoke/1-raw.npz", cwd=folder)
    assert json.loads(from_file.stdout) == json.loads(from_arrays.stdout)


@pytest.mark.promise("P9")
def test_a_sample_of_the_wrong_shape_is_refused_with_both_shapes(shop_of: ShopOf, tmp_path: Path) -> None:
    plain = {"inputs": {"image": {"kind": "image", "array": "picture"}}}
    pixels = np.zeros((3, 16, 16, 3), np.uint8)
    folder, _ = shop_of(arrays={"picture": pixels}, card=plain).package()
    np.savez(tmp_path / "wide.npz", picture=np.zeros((16, 20, 3), np.uint8))
    ended = run("inference.py", str(tmp_path / "wide.npz"), cwd=folder)
    assert "the sample gives (3, 16, 20), the model takes [3, 16, 16]" in ended.stderr
    assert read(folder / "preprocessing.json")["inputs"][0]["steps"][0] == "colour"  # a step that does nothing is none


def test_without_raw_samples_the_package_says_so(shop_of: ShopOf) -> None:
    folder, made = shop_of(raw=False).package()
    assert {sample["raw"] for sample in read(folder / "manifest.json")["smoke"]["samples"]} == {None}
    assert "not repeated" in made.verified[2]


def test_ragged_tensors_and_inputs_without_a_batch_are_packaged(shop_of: ShopOf) -> None:
    rng = np.random.default_rng(2)
    shapes = np.array([[4, 6], [9, 6], [2, 6]], np.int64)
    arrays = {"x": rng.standard_normal(90).astype(np.float32), "x.shapes": shapes}
    nodes = [models.node("ReduceMean", ["x"], ["y"], axes=[0], keepdims=0)]
    proto = models.model(nodes, [models.value("x", models.F, ["t", 6])], [models.value("y", models.F, [6])])
    card = {"inputs": {"x": {"kind": "tensor", "array": "x"}}}
    folder, _ = shop_of(proto, arrays, card).package()
    assert read(folder / "preprocessing.json")["inputs"][0]["batch_size"] is None
    assert np.load(folder / "smoke/1-prepared.npz")["input_0"].shape == (9, 6)
    assert np.load(folder / "smoke/1-expected.npz")["output_0"].shape == (6,)


def test_a_model_that_fixes_its_batch_gets_full_batches(shop_of: ShopOf) -> None:
    proto = models.model(
        [models.node("Softmax", ["x"], ["y"])],
        [models.value("x", models.F, [4, 3])],
        [models.value("y", models.F, [4, 3])],
    )
    arrays = {"x": np.random.default_rng(3).standard_normal((6, 3)).astype(np.float32)}
    folder, _ = shop_of(proto, arrays, {"inputs": {"x": {"kind": "tensor", "array": "x"}}}).package()
    assert read(folder / "preprocessing.json")["inputs"][0]["batch_size"] == 4
    assert np.load(folder / "smoke/1-prepared.npz")["input_0"].shape == (4, 3)
    single = run("inference.py", "--prepared", "smoke/1-prepared.npz", cwd=folder)
    assert np.array(json.loads(single.stdout)["outputs"]["y"]).shape == (4, 3)


@pytest.mark.promise("P3")
@pytest.mark.parametrize("arguments", [("smoke/0-raw.npz",), ("--verify",)])
def test_a_model_that_was_changed_is_not_run(shop_of: ShopOf, arguments: tuple[str, ...]) -> None:
    folder, _ = shop_of().package()
    path = folder / "toy_simplify_fp32.onnx"
    path.write_bytes(path.read_bytes() + b"\x00")
    ended = run("inference.py", *arguments, cwd=folder)
    assert ended.returncode == 1
    assert "Unsound: toy_simplify_fp32.onnx is" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.promise("P3")
@pytest.mark.promise("P9")
def test_a_package_that_answers_otherwise_than_was_measured_is_refused(shop_of: ShopOf) -> None:
    shop = shop_of()
    order = shop.order()
    index = read(shop.workspace.path_of(str(order.statement["outputs"])))
    column = index["outputs"]["logits"]
    recorded = np.load(shop.workspace.path_of(column["values"]))
    path = shop.workspace.scratch("wrong.npy")
    np.save(path, recorded + np.float32(0.01) * np.abs(recorded).max())
    column["values"] = shop.workspace.keep(path)
    outputs = shop.workspace.keep_json(index, "outputs.json")
    with pytest.raises(Refused) as caught:
        shop.package(statement={**order.statement, "outputs": outputs})
    refusal = caught.value.refusal
    assert refusal.code is Code.PACKAGE_UNVERIFIED
    assert "output logits differs" in refusal.why
    assert not refusal.why.endswith(".")
    advised = {str(call) for call in Call if re.search(rf"\b{call}\b", refusal.do)}
    assert advised
    assert advised <= {str(call) for call in legal_calls(Phase.OPTIMIZE)}


@pytest.mark.promise("P6", "P9")
def test_stored_samples_answer_as_this_host_does_where_accuracy_is_the_devices(shop_of: ShopOf) -> None:
    shop = shop_of()
    order = shop.order()
    here, _ = shop.package()
    said = json.loads(json.dumps(order.statement))
    said["manifest"]["accuracy"]["environment"]["target"] = "pi"
    said["outputs"] = shop.workspace.keep_json({"outputs": "of the device's own kernels"}, "outputs.json")
    there, _ = shop.package(statement=said, folder_name="there")
    for number in range(4):
        name = f"smoke/{number}-expected.npz"
        assert (there / name).read_bytes() == (here / name).read_bytes()


@pytest.mark.promise("P9")
def test_raw_samples_that_do_not_lead_to_what_was_measured_are_refused(shop_of: ShopOf) -> None:
    shop = shop_of()
    card = json.loads(json.dumps(shop.validation.card))
    card["inputs"]["image"]["colour"] = "BGR"
    with pytest.raises(Refused, match="preprocessing gives other values for input image"):
        shop.package(validation=replace(shop.validation, card=card))


def test_the_package_runs_with_telemetry_off(shop_of: ShopOf) -> None:
    folder, _ = shop_of().package()
    show = "import os, inference; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {"PYTHONPATH": str(folder), "ORT_DISABLE_TELEMETRY": "0", "PATH": os.environ["PATH"]}
    ended = subprocess.run([sys.executable, "-c", show], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "1"
