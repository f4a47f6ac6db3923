"""Names of candidates: `{model}_{optimization}_{precision}.{ext}` (P5)."""

import re

from edgewright.state.artifacts import Format

EXTENSIONS = {
    Format.ONNX: "onnx",
    Format.TFLITE: "tflite",
    Format.TENSORRT: "engine",
    Format.TENSORFLOW: "keras",
    Format.PYTORCH: "pt2",
}
_LIMIT = 80


def candidate_name(model_name: str, optimization: str, precision: str, model_format: Format) -> str:
    """Return the file name of a candidate; characters that any file system or shell could stumble over become `-`."""
    parts = (_clean(model_name) or "model", _clean(optimization), _clean(precision))
    return f"{'_'.join(parts)}.{EXTENSIONS[model_format]}"


def _clean(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", part)[:_LIMIT].strip("-._")
