"""Trains the small detector of the tests on drawn scenes and writes `shapes_detector.onnx`. Needs torch and onnx.

    python train.py OUTPUT_FOLDER

Its head is that of the YOLO family since version 8, as Ultralytics exports it: one output of shape (batch, 4 + classes,
cells) in which boxes in pixels (centre x, centre y, width, height) and scores from 0 to 1 lie in one tensor. Quantised
to 8 bits with one scale, that tensor has steps of a quarter: boxes barely notice, and scores become 0, 0.25, 0.5 ...
"""

import argparse
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from drawn_scenes import CLASSES, SIDE, Scene, draw
from torch import Tensor, nn

SEED = 11
STRIDE, CELLS = 8, SIDE // 8
STEPS, BATCH, PEAK_RATE = 4000, 64, 4e-3
TRAINING_SCENES = 12_000
# Output channels and stride of each 3x3 convolution.
LAYERS = ((16, 2), (32, 2), (64, 2), (64, 1), (64, 1))
OPSET = 18


class ShapesDetector(nn.Module):
    """Convolutions with BatchNorm and ReLU, then one box and one score a class for each of the 8 x 8 cells."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, stride in LAYERS:
            layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers)
        self.boxes = nn.Conv2d(channels, 4, 1)
        self.scores = nn.Conv2d(channels, len(CLASSES), 1)
        nn.init.constant_(self.scores.bias, -4.0)
        axis = (torch.arange(CELLS) + 0.5) * STRIDE
        middle = torch.stack([axis.repeat(CELLS), axis.repeat_interleave(CELLS)])
        self.register_buffer("middle", middle[None])

    def forward(self, image: Tensor) -> Tensor:
        """Return boxes and scores, shape (n, 4 + classes, cells), of images of shape (n, 3, 64, 64) from 0 to 1."""
        features = self.features(image)
        raw = self.boxes(features).flatten(2)
        centres = self.middle + STRIDE * raw[:, :2]
        sizes = 2 * STRIDE * nn.functional.softplus(raw[:, 2:])
        return torch.cat([centres, sizes, self.scores(features).flatten(2).sigmoid()], dim=1)


def targets(scenes: list[Scene]) -> tuple[Tensor, Tensor]:
    """Return each cell's wanted box, shape (n, 4, cells), and class, shape (n, cells): -1 none, -2 not judged.

    The cell that holds a shape's centre answers for it; its neighbours' answers do not count, for or against.
    """
    boxes, classes = np.zeros((len(scenes), 4, CELLS, CELLS), np.float32), np.full((len(scenes), CELLS, CELLS), -1)
    for number, scene in enumerate(scenes):
        places = []
        for kind, left, top, right, bottom in scene.boxes:
            x, y = (left + right) / 2, (top + bottom) / 2
            row, column = min(int(y / STRIDE), CELLS - 1), min(int(x / STRIDE), CELLS - 1)
            places.append((row, column, kind, (x, y, right - left, bottom - top)))
            classes[number, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = -2
        for row, column, kind, box in places:
            classes[number, row, column] = kind
            boxes[number, :, row, column] = box
    return torch.tensor(boxes).flatten(2), torch.tensor(classes).flatten(1)


def loss_of(found: Tensor, boxes: Tensor, classes: Tensor) -> Tensor:
    """Return focal loss of the scores (Lin et al., 2017) plus L1 of the boxes where a shape's centre lies."""
    scores, held = found[:, 4:].clamp(1e-6, 1 - 1e-6), classes >= 0
    wanted = torch.stack([classes == kind for kind in range(len(CLASSES))], dim=1).float()
    right = torch.where(wanted > 0, scores, 1 - scores)
    # Neighbouring cells are weighted little rather than not at all, so that they learn to stay below the centre's.
    weight = torch.where(classes == -2, 0.2, 1.0)[:, None] * torch.where(wanted > 0, 2.0, 1.0)
    focal = (-weight * (1 - right) ** 2 * right.log()).sum()
    apart = (found[:, :4] - boxes).abs().sum(dim=1)[held].sum()
    return (focal + 0.1 * apart) / held.sum().clamp(min=1)


def train(scenes: list[Scene]) -> ShapesDetector:
    """Train for a fixed number of steps and keep the last weights."""
    images = torch.tensor(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2)
    boxes, classes = targets(scenes)
    model = ShapesDetector()
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=STEPS)
    started, total = time.monotonic(), 0.0
    for step in range(1, STEPS + 1):
        chosen = torch.randint(len(scenes), (BATCH,))
        loss = loss_of(model(images[chosen].float() / 255), boxes[chosen], classes[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % 200 == 0:
            print(f"step {step}: loss {total / 200:.4f}, {time.monotonic() - started:.0f} s", flush=True)
            total = 0.0
    return model.eval()


def export(model: ShapesDetector, path: Path) -> None:
    """Write the model as one ONNX file with a free batch dimension."""
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, SIDE, SIDE),),
        path,
        input_names=["image"],
        output_names=["detections"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    forget_origins(path)


def forget_origins(path: Path) -> None:
    """Remove the stack traces that the exporter notes beside every node: they name folders of this machine."""
    model = onnx.load(path)
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, path)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    export(train(draw(TRAINING_SCENES, seed=1)), parser.parse_args().output / "shapes_detector.onnx")


if __name__ == "__main__":
    main()
