"""The server stays light: no model runtime in its process, and little beside the SDK at its start."""

import subprocess
import sys
from statistics import median

from startup import measure

LOADED = """
import sys, tempfile, pathlib
from edgewright.server.app import build_server
from edgewright.server.settings import Settings
build_server(Settings(state_folder=pathlib.Path(tempfile.mkdtemp())))
print(",".join(sorted({"onnx", "onnxruntime", "onnxsim", "torch", "tensorflow", "PIL"} & set(sys.modules))))
"""


def test_the_server_process_loads_no_model_library() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_server_answers_within_one_and_a_half_times_the_sdks_own_import() -> None:
    bare, server = measure(5)
    assert median(s / b for s, b in zip(server, bare, strict=True)) <= 1.5
