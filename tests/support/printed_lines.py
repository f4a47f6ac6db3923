"""Lines of printed text as pictures, with what they say and where they lie; drawn with the font inside Pillow."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = ("edge", "model", "latency", "quantize", "benchmark", "2026", "accuracy", "device", "Report", "Total 17")


def printed(count: int, seed: int) -> list[tuple[Image.Image, str]]:
    """Return lines of two words: black on a light ground, 48 pixels high, and their texts."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        text = " ".join(rng.choice(WORDS, 2))
        font = ImageFont.load_default(size=int(rng.integers(22, 34)))
        left, top, right, bottom = font.getbbox(text)
        ground = Image.new("RGB", (int(right - left) + 24, 48), tuple(rng.integers(200, 256, 3).tolist()))
        place = (12 - left, (48 - (bottom - top)) / 2 - top)
        ImageDraw.Draw(ground).text(place, text, fill=tuple(rng.integers(0, 60, 3).tolist()), font=font)
        made.append((ground, text))
    return made


def folder_of_lines(folder: Path, count: int, card: dict[str, Any]) -> Path:
    """Write lines and a CSV of what they say."""
    folder.mkdir()
    rows = ["file,text"]
    for number, (picture, text) in enumerate(printed(count, seed=1)):
        picture.save(folder / f"{number}.png")
        rows.append(f"{number}.png,{text}")
    (folder / "said.csv").write_text("\n".join(rows) + "\n")
    label = {"csv": "said.csv", "file": "file", "label": "text"}
    (folder / "card.json").write_text(json.dumps({**card, "label": label}))
    return folder


def folder_of_turns(folder: Path, count: int, card: dict[str, Any]) -> Path:
    """Write lines upright and upside down, in two class folders."""
    for turn in ("0", "180"):
        (folder / turn).mkdir(parents=True)
    for number, (picture, _) in enumerate(printed(count, seed=2)):
        turned = number % 2 == 1
        (picture.rotate(180) if turned else picture).save(folder / ("180" if turned else "0") / f"{number}.png")
    (folder / "card.json").write_text(json.dumps({**card, "label": "folder"}))
    return folder


def folder_of_pages(folder: Path, count: int, card: dict[str, Any]) -> Path:
    """Write pages of three lines, with masks of where the lines lie."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(3)
    for number in range(count):
        page, mask = Image.new("RGB", (320, 320), (245, 245, 240)), np.zeros((320, 320), np.uint8)
        for row in range(3):
            text, font = " ".join(rng.choice(WORDS, 2)), ImageFont.load_default(size=24)
            x, y = int(rng.integers(5, 40)), 30 + 100 * row + int(rng.integers(0, 30))
            ImageDraw.Draw(page).text((x, y), text, fill=(20, 20, 40), font=font)
            left, top, right, bottom = (round(side) for side in ImageDraw.Draw(page).textbbox((x, y), text, font=font))
            mask[top:bottom, left:right] = 1
        page.save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    label = {"masks": "masks", "images": "images"}
    (folder / "card.json").write_text(json.dumps({**card, "label": label}))
    return folder
