"""The search on a trained network of which some layers cannot compute in 8 bits; where nothing is timed, by MACs."""

import math
from dataclasses import replace
from pathlib import Path

import onnx
import onnx_models as models
import pytest
from onnx.helper import make_node as node
from search_bench import TERMS, broken_network, demo_network, groups_in_8_bits, search_bench

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.tools.optimize.search.judge import Judge

# The convolutions on either side of the tensors that lose their channels.
LOST = {"node_Conv_128", "node_Conv_130", "node_Conv_134", "node_Conv_136"}


def test_what_cannot_compute_in_8_bits_stays_in_float32_and_a_search_cut_short_goes_on_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = search_bench(broken_network(), tmp_path, device=Device.RASPBERRY_PI_5)
    looks = []
    look = Judge.look
    monkeypatch.setattr(Judge, "look", lambda judge, path: looks.append(path) or look(judge, path))
    whole = bench.quantize("int8_mixed")
    quantised, first = groups_in_8_bits(whole), len(looks)
    assert not quantised & LOST
    assert len(quantised) >= 4
    assert whole.artifact.precision == "int8"
    assert len([finding for finding in whole.findings if finding.startswith("in float32: ")]) == 9 - len(quantised)
    assert any(
        "estimated from multiply-accumulates, since none was measured on the device" in f for f in whole.findings
    )

    (found,) = (bench.workspace.folder / "lasting").glob("*-search.jsonl")
    lines = found.read_text(encoding="utf-8").splitlines(keepends=True)
    found.write_text("".join(lines[:-2]) + lines[-2][:20], encoding="utf-8")
    bench.workspace.leftovers = (found.parent,)
    again = bench.quantize("int8_mixed")
    assert again.artifact.sha256 == whole.artifact.sha256
    assert 0 < len(looks) - first < first


def test_without_labels_the_agreement_with_the_base_decides(tmp_path: Path) -> None:
    bench = search_bench(demo_network(), tmp_path, labels=False)
    assert bench.calibration is not None
    base = bench.base, bench.workspace.path_of(bench.base.sha256)
    judge = Judge(base, bench.calibration, TERMS, bench.workspace, bench.target)
    assert (judge.measure, judge.allowed) == ("agreement-top-1", 0.02)
    assert judge.look(base[1]).drop == 0
    broken = demo_network()
    broken.graph.initializer[0].ClearField("raw_data")
    broken.graph.initializer[0].raw_data = bytes(4 * math.prod(broken.graph.initializer[0].dims))
    onnx.save(broken, tmp_path / "broken.onnx")
    judged = judge.look(tmp_path / "broken.onnx")
    assert not judged.passes
    assert judged.drop > 0.5


def test_a_mix_that_failed_its_verdict_is_not_made_again_and_nothing_with_more_in_8_bits(tmp_path: Path) -> None:
    every = ("node_Conv_124", *(f"node_Conv_{number}" for number in range(126, 139, 2)), "node_linear")
    rejected = every[:4]
    bench = search_bench(demo_network(), tmp_path, device=Device.RASPBERRY_PI_5)
    bench = replace(bench, terms=replace(TERMS, rejected=(rejected,)))
    quantised = groups_in_8_bits(bench.quantize("int8_mixed"))
    assert quantised
    assert not quantised >= set(rejected)


def test_a_budget_that_is_spent_gives_the_best_so_far_or_says_that_there_is_none(tmp_path: Path) -> None:
    bench = search_bench(broken_network(), tmp_path, device=Device.RASPBERRY_PI_5)
    with pytest.raises(Refused) as caught:
        bench.quantize("int8_mixed", minutes=1e-6)
    assert caught.value.refusal.code is Code.NO_GAIN
    assert "a larger budget" in caught.value.refusal.do


def test_a_model_that_8_bits_do_not_speed_up_is_answered_so_with_the_figures(tmp_path: Path) -> None:
    model = models.model(
        [node("Flatten", ["image"], ["row"]), node("Gemm", ["row", "w"], ["scores"])],
        [models.value("image", models.F, ["n", 1, 28, 28])],
        [models.value("scores", models.F, ["n", 10])],
        [models.weights("w", 784, 10)],
    )
    with pytest.raises(Refused) as caught:
        search_bench(model, tmp_path).quantize("int8_mixed")
    assert caught.value.refusal.code is Code.NO_GAIN
    assert "of float32's time" in caught.value.refusal.why


@pytest.mark.parametrize("budget", [{"evaluations": 0.0}, {"minutes": 0.0}, {"evaluations": float("nan")}])
def test_a_budget_of_nothing_is_refused(budget: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        search_bench(demo_network(), tmp_path).quantize("int8_mixed", **budget)
    assert caught.value.refusal.code is Code.SCHEME_NOT_OFFERED
