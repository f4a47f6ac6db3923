"""Trains the demo model on Fashion-MNIST and writes it with its validation and calibration data.

Needs torch, onnx, onnxscript, onnxruntime and numpy. A run writes three files to the output folder:
`fashion_mnist_cnn.onnx`, `validation.npz` and `calibration.npz`. Both data files hold raw 8-bit pixels.
"""

import argparse
import gzip
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import Tensor, nn

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

DATASET = Path("/usr/share/datasets/fashion-mnist")
SEED = 20
SIDE, CLASSES = 28, 10
MEAN, STD = 0.2860, 0.3530
BATCH, PEAK_RATE, LARGEST_SHIFT = 128, 0.1, 2
VALIDATION_IMAGES, CALIBRATION_PER_CLASS = 1_000, 50
OPSET = 18

# Output channels and stride of each convolution. Multiples of 32 fill the vector registers of FP32 and INT8 kernels.
LAYERS = ((32, 1), (64, 2), (96, 1), (96, 1), (96, 1), (128, 2), (128, 1), (128, 1))


class Part(NamedTuple):
    """One part of the data set: raw pixels [N, 28, 28, 1] and class numbers [N]."""

    image: Pixels
    label: Labels


class FashionCnn(nn.Module):
    """Ordinary 3x3 convolutions, each with BatchNorm and ReLU, then an average over all positions and a linear head.

    There are no depthwise convolutions: CPU kernels often run those slower in INT8 than in FP32.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width, stride in LAYERS:
            layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(channels, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        """Returns the logits [N, 10] of normalised images [N, 1, 28, 28]."""
        logits: Tensor = self.head(self.features(image))
        return logits


def read_part(folder: Path, prefix: str) -> Part:
    """Reads the image and label files whose names start with `prefix`; IDX headers are 16 and 8 bytes long."""
    with gzip.open(folder / f"{prefix}-images-idx3-ubyte.gz") as file:
        image = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, SIDE, SIDE, 1)
    with gzip.open(folder / f"{prefix}-labels-idx1-ubyte.gz") as file:
        label = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return Part(image, label)


def normalise(image: Tensor) -> Tensor:
    """Turns raw pixels [N, 28, 28] into the model's input [N, 1, 28, 28]."""
    return ((image.float() / 255 - MEAN) / STD).unsqueeze(1)


def augment(image: Tensor) -> Tensor:
    """Mirrors every second image on average and shifts each by up to two pixels; black pixels fill the border."""
    count = len(image)
    padded = nn.functional.pad(image, [LARGEST_SHIFT] * 4)
    rows = torch.arange(SIDE) + torch.randint(2 * LARGEST_SHIFT + 1, (count, 1))
    columns = torch.arange(SIDE) + torch.randint(2 * LARGEST_SHIFT + 1, (count, 1))
    columns = torch.where(torch.rand(count, 1) < 0.5, columns.flip(1), columns)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def train(part: Part, epochs: int) -> FashionCnn:
    """Trains for a fixed number of epochs and keeps the last weights, so that no test image chooses among them."""
    images, labels = torch.tensor(part.image).squeeze(-1), torch.tensor(part.label)
    # Channels-last makes a training step about a third faster on a CPU.
    model = FashionCnn().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(model.parameters(), lr=PEAK_RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=epochs * steps)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
    for epoch in range(epochs):
        started, total = time.monotonic(), 0.0
        for chosen in torch.randperm(len(images))[: steps * BATCH].reshape(steps, BATCH):
            loss = loss_function(model(normalise(augment(images[chosen]))), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        seconds = time.monotonic() - started
        print(f"epoch {epoch + 1} of {epochs}: training loss {total / steps:.4f}, {seconds:.0f} s", flush=True)
    return model.to(memory_format=torch.contiguous_format)  # type: ignore[no-any-return]


def export(model: FashionCnn, path: Path) -> None:
    """Writes the model as one ONNX file with a free batch dimension."""
    torch.onnx.export(
        model.eval(),
        # The exporter treats a dimension of length 1 as fixed.
        (torch.zeros(2, 1, SIDE, SIDE),),
        path,
        dynamo=True,
        external_data=False,
        verbose=False,
        opset_version=OPSET,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
    )
    exported = onnx.load(path)
    remove_notes(exported)
    onnx.checker.check_model(exported, full_check=True)
    opsets = {entry.domain: entry.version for entry in exported.opset_import}
    if opsets != {"": OPSET}:
        raise SystemExit(f"The exported model needs opsets {opsets}, not only {OPSET} of the default domain.")
    onnx.save(exported, path)


def remove_notes(model: onnx.ModelProto) -> None:
    """Removes all metadata and documentation: the exporter puts stack traces with local paths there."""
    graph = model.graph
    parts = (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info)
    for part in (*parts, *model.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def top1(path: Path, part: Part) -> float:
    """Returns the share of images to which the ONNX file gives the right label."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = normalise(torch.tensor(part.image).squeeze(-1)).numpy()
    right = 0
    for start in range(0, len(images), 100):
        (logits,) = session.run(["logits"], {"image": images[start : start + 100]})
        right += int((np.asarray(logits).argmax(1) == part.label[start : start + 100]).sum())
    return right / len(images)


def balanced_sample(part: Part) -> Part:
    """Draws the calibration images: equally many of each class, in random order."""
    generator = np.random.default_rng(SEED)
    per_class = [
        generator.choice(np.flatnonzero(part.label == number), CALIBRATION_PER_CLASS, replace=False)
        for number in range(CLASSES)
    ]
    chosen = generator.permutation(np.concatenate(per_class))
    return Part(part.image[chosen], part.label[chosen])


def main() -> None:
    """Reads the command line, trains, exports and measures."""
    parser = argparse.ArgumentParser(description="Train the Fashion-MNIST demo model and write it with its data.")
    parser.add_argument("--dataset", type=Path, default=DATASET, help="folder of the four IDX files")
    parser.add_argument("--output", type=Path, required=True, help="folder that receives the three files")
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(mode=True)
    training, test = read_part(arguments.dataset, "train"), read_part(arguments.dataset, "t10k")
    validation = Part(test.image[:VALIDATION_IMAGES], test.label[:VALIDATION_IMAGES])
    np.savez_compressed(output / "validation.npz", image=validation.image, label=validation.label)
    calibration = balanced_sample(training)
    np.savez_compressed(output / "calibration.npz", image=calibration.image, label=calibration.label)

    model = train(training, arguments.epochs)
    path = output / "fashion_mnist_cnn.onnx"
    export(model, path)
    print(f"parameters of the trained model: {sum(weight.numel() for weight in model.parameters()):,}")
    print(f"top-1: {top1(path, test):.4f} on the {len(test.label):,} test images, ", end="")
    print(f"{top1(path, validation):.4f} on the first {VALIDATION_IMAGES:,}")


if __name__ == "__main__":
    main()
