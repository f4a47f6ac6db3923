"""Accuracy for a device that computes in float16, on a host whose runtime does not."""

from dataclasses import replace
from pathlib import Path

import half_models
import numpy as np
import onnx_models as models
import onnxruntime
import pytest
from optimize_bench import build_bench

from edgewright.state.artifacts import Device
from edgewright.state.evidence import Label
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.orders import DataSource, Original, ValidateOrder
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.target import Places
from edgewright.tools.validate.accuracy import measure_accuracy
from edgewright.tools.validate.work import work


@pytest.mark.promise("P3", "P6")
def test_an_overflow_that_a_cpus_runtime_hides_costs_a_jetsons_candidate_its_verdict(tmp_path: Path) -> None:
    planted = half_models.overflowing_classifier(models.conv_net())
    bench = build_bench(planted, tmp_path, 0)
    images = np.random.default_rng(3).standard_normal((120, 3, 16, 16)).astype(np.float32)
    session = onnxruntime.InferenceSession(planted.SerializeToString(), providers=["CPUExecutionProvider"])
    labels = np.concatenate([session.run(None, {"image": image[None]})[0].argmax(1) for image in images])
    np.savez(tmp_path / "roots" / "labelled.npz", image=images, label=labels)
    card = {"inputs": {"image": {"array": "image", "kind": "tensor", "dtype": "float32"}}, "label": "label"}
    source = DataSource(str(tmp_path / "roots" / "labelled.npz"), card)
    data = prepare(source, (str(tmp_path / "roots"),), bench.workspace, "labelled data")
    made = replace(bench, device=Device.JETSON_ORIN_NANO).quantize("fp16")
    host = Host()
    baseline = measure_accuracy(bench.base, data, "top-1", bench.workspace, host, threads=1)
    assert (baseline.value, baseline.environment.label) == (1.0, Label.HOST)
    order = ValidateOrder(
        made.artifact,
        Original("m.onnx", "0" * 64),
        data,
        baseline,
        threads=1,
        reference=baseline,
        target_device=Device.JETSON_ORIN_NANO,
    )
    here = work(replace(order, target_device=Device.CPU_GENERIC), bench.workspace, Places(host, host)).evidence
    there = work(order, bench.workspace, Places(host, host)).evidence
    assert (here.accuracy.value, here.accuracy.environment.label) == (1.0, Label.HOST)  # type: ignore[union-attr]
    assert there.accuracy.value < 0.5  # type: ignore[union-attr]
    assert there.accuracy.environment.label is Label.EMULATED_HALF  # type: ignore[union-attr]
    assert any("float16 was emulated" in said for said in there.findings)  # type: ignore[union-attr]
