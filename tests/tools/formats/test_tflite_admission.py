"""A TFLite file is refused for what it says, before any interpreter sees it."""

from pathlib import Path

import pytest
import tflite_models as models

from edgewright.state.artifacts import Format
from edgewright.state.errors import Refusal, Refused
from edgewright.tools.formats import model
from edgewright.tools.formats.tflite_model import admit
from edgewright.tools.runtimes import grid


def refused(path: Path) -> Refusal:
    with pytest.raises(Refused) as caught:
        admit(path)
    return caught.value.refusal


@pytest.mark.parametrize("case", sorted(models.UNSOUND))
def test_an_unsound_file_is_refused_with_its_reason(case: str, tmp_path: Path) -> None:
    change, code, said = models.UNSOUND[case]
    refusal = refused(models.changed(change, tmp_path / "model.tflite"))
    assert refusal.code == code
    assert said in refusal.why
    assert refusal.do


@pytest.mark.parametrize("case", sorted(models.broken_containers()))
def test_a_damaged_file_is_refused_without_being_unpacked(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(models.broken_containers()[case])
    refusal = refused(path)
    assert refusal.code == "MODEL_INVALID"
    assert "tables than a file of its size" in refusal.why if "many" in case else "leads nowhere" in refusal.why


def test_every_single_wrong_byte_is_refused_or_read_and_nothing_else_happens(tmp_path: Path) -> None:
    sound = models.write(models.dense_net())
    path = tmp_path / "model.tflite"
    refusals = 0
    for place in range(8, len(sound), 3):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :])
        try:
            admit(path).graph()
        except Refused:
            refusals += 1
    assert refusals > 20


def test_a_detection_head_that_every_litert_has_is_no_custom_operator_to_refuse(tmp_path: Path) -> None:
    detection = models._custom(b"TFLite_Detection_PostProcess")

    assert admit(models.changed(detection, tmp_path / "m.tflite")).graph().operators == {
        "TFLite_Detection_PostProcess": 1
    }


@pytest.mark.promise("P8", "P12")
def test_a_model_that_nothing_here_runs_is_refused_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.save(models.dense_net(), tmp_path / "m.tflite")
    monkeypatch.setattr(grid.util, "find_spec", lambda _module: None)
    with pytest.raises(Refused) as caught:
        model.admit(path, Format.TFLITE)
    assert caught.value.refusal.code == "MISSING_EXTRA"
    assert "edgewright[tflite]" in caught.value.refusal.do
