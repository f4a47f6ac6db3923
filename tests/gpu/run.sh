#!/usr/bin/env bash
# What only a machine with an NVIDIA GPU can tell: parser, engine, runtime, answers and the probe, by TensorRT or, where
# that is missing, TensorRT-RTX. Ends within eight minutes and writes one JSON of what ran and what did not.
#
#   tests/gpu/run.sh RESULT.json            makes the graphs with this checkout (Python 3.11, its packages), then uses them
#   tests/gpu/run.sh RESULT.json GRAPHS     uses graphs that `python tests/gpu/graphs.py GRAPHS` made elsewhere: a Jetson's
#                                           Python 3.10 needs NumPy, tensorrt, and cuda-python or pycuda for it
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
result="${1:?usage: tests/gpu/run.sh RESULT.json [GRAPHS]}"
python="${PYTHON:-python3}"
graphs="${2:-$(mktemp -d)}"
if [[ $# -lt 2 ]]; then
    PYTHONPATH="$here/../support" timeout 120 "$python" "$here/graphs.py" "$graphs" ||
        echo "tests/gpu/run.sh: no graphs could be made here; the result says so" >&2
fi
timeout 340 "$python" "$here/check.py" "$result" "$graphs"
