"""Trains three small PyTorch models on real digits, in the toolchain's interpreter: `python FILE DIGITS.npz FOLDER`.

Writes `cnn.pt2` (depthwise and residual parts), `lstm.pt2` and `attention.pt2`, exported with an open batch.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.inner(x))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Residual(16),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTM(8, 32, batch_first=True), nn.Linear(32, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(image.squeeze(1))[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 32)
        self.layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(256, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(self.embed(image.squeeze(1))).flatten(1))


class Named(nn.Module):
    """Gives the model's input the name that the data card has."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.inner(image)


def main(digits: Path, folder: Path) -> None:
    with np.load(digits) as data:
        image = torch.from_numpy(data["image"].astype(np.float32) / 16).permute(0, 3, 1, 2).contiguous()
        label = torch.from_numpy(data["label"])
    for name, build in (("cnn", cnn), ("lstm", Recurrent), ("attention", Attention)):
        torch.manual_seed(7)
        model = Named(build())
        optimizer = torch.optim.Adam(model.parameters(), 4e-3)
        for _ in range(15):
            for rows in torch.randperm(len(image)).split(32):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(image[rows]), label[rows]).backward()
                optimizer.step()
        batch = torch.export.Dim("batch", min=1, max=1024)
        program = torch.export.export(model.eval(), (image[:2],), dynamic_shapes=({0: batch},))
        torch.export.save(program, folder / f"{name}.pt2")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
