"""The script for machines with a GPU, on one without: it ends, and says of each part that it did not run and why."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "run.sh"


def test_a_machine_without_a_gpu_is_told_what_did_not_run(tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "graphs.json").write_text(json.dumps({"shapes": {}, "tolerances": {"fp16": 0.01}}))
    subprocess.run(
        [SCRIPT, tmp_path / "result.json", tmp_path / "graphs"],
        env={"PATH": os.environ["PATH"], "PYTHON": sys.executable},
        check=True,
        capture_output=True,
    )
    found = json.loads((tmp_path / "result.json").read_text())
    assert list(found) == ["machine", "library", "cuda", "graphs", "fp16", "probe"]
    assert found["machine"]["ran"]
    assert not found["fp16"]["ran"]
    assert all("why" in part for part in found.values() if not part["ran"])
