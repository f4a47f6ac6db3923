"""The road from an ONNX file to an engine and its answers, against the recorded interfaces of TensorRT 10.3 and 11.

No GPU took part: what is held here is that the right names are called in the right order, and the right bytes move.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnx_models as models
import onnxruntime
import pytest
import recorded_cuda
import recorded_tensorrt as recorded
from onnx.helper import make_node as node

from edgewright.tools.extras import load
from edgewright.tools.probe import cuda_memory, session
from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.tensorrt_builder import Build, Options, Unbuildable, timing_cache_of
from edgewright.tools.probe.tensorrt_runner import Runner

SHAPES = {"image": (1, 3, 16, 16)}


@pytest.fixture(params=recorded.VERSIONS)
def trt(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = recorded.tensorrt(request.param)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


def with_cuda_python(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = {"cuda": ModuleType("cuda"), "cuda.bindings": ModuleType("cuda.bindings")}
    put(monkeypatch, {**parents, "cuda.bindings.runtime": recorded_cuda.cuda_python()})


def with_pycuda(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"pycuda": ModuleType("pycuda"), "pycuda.driver": recorded_cuda.pycuda_driver()}
    put(monkeypatch, {**there, "pycuda.autoinit": ModuleType("pycuda.autoinit")})


def put(monkeypatch: pytest.MonkeyPatch, modules: dict[str, ModuleType]) -> None:
    for name, module in modules.items():
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)


CUDA = pytest.mark.parametrize("with_cuda", [with_cuda_python, with_pycuda])


def written(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save(models.conv_net(), path)
    return path


@pytest.mark.promise("P8")
@CUDA
def test_an_engine_is_built_where_it_runs_and_its_answers_come_back(
    trt: ModuleType,
    with_cuda: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_cuda(monkeypatch)
    monkeypatch.delitem(sys.modules, "edgewright.tools.probe.tensorrt_session", raising=False)
    path = written(tmp_path)
    library = session.runtime("tensorrt")
    loaded = library.load(str(path), 1)
    assert [(port.name, port.dtype, port.shape) for port in loaded.inputs] == [("image", "float32", (None, 3, 16, 16))]
    assert [port.name for port in loaded.outputs] == ["logits"]
    wanted = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for seed in range(2):
        image = np.random.default_rng(seed).standard_normal(SHAPES["image"]).astype(np.float32)
        [logits] = loaded.run({"image": image})
        np.testing.assert_array_equal(logits, wanted.run(None, {"image": image})[0])
    assert library.version() == trt.__version__
    assert library.profile(str(path), 1, [], 0, tmp_path) == ()
    assert (tmp_path / "timing.cache").read_bytes() == b"learnt"


def test_types_come_from_the_graph_in_every_version(trt: ModuleType) -> None:
    Build(trt).parse(models.conv_net().SerializeToString())
    assert trt.networks == [0 if trt.__version__ == "later" else 1 << 1]


def test_a_build_is_configured_with_what_every_version_has(trt: ModuleType) -> None:
    build = Build(trt)
    assert build.parse(models.conv_net().SerializeToString()) == 8
    config = build.configured(SHAPES, Options(workspace_mib=64, timing_cache=b"before ", dla_core=0))
    assert config.pools == {trt.MemoryPoolType.WORKSPACE: 64 << 20}
    assert config.profiles[0].shapes == {"image": (SHAPES["image"],) * 3}
    assert (config.default_device_type, config.DLA_core) == (trt.DeviceType.DLA, 0)
    assert config.flags == (trt.BuilderFlag.GPU_FALLBACK,)
    assert timing_cache_of(config) == b"before learnt"
    assert build.engine(config).startswith(recorded.ENGINE)


def test_without_a_shape_for_an_open_size_nothing_is_built(trt: ModuleType) -> None:
    build = Build(trt)
    build.parse(models.conv_net().SerializeToString())
    with pytest.raises(Unbuildable, match="image has an open size"):
        build.configured({}, Options())
    with pytest.raises(Unbuildable, match="no optimization profile"):
        build.engine(trt.Builder(trt.Logger()).create_builder_config())


def test_a_node_that_is_not_taken_is_named(trt: ModuleType) -> None:
    odd = models.model(
        [node("Unique", ["x"], ["y"], "odd")], [models.value("x", models.F, [4])], [models.value("y", models.F, ["n"])]
    )
    with pytest.raises(Unbuildable) as caught:
        Build(trt).parse(odd.SerializeToString())
    [fault] = caught.value.faults
    assert (fault.node, fault.operator, fault.code) == ("odd", "Unique", "UNSUPPORTED_NODE")
    assert fault.reason == "TensorRT has no such operator"


def test_bytes_that_are_no_engine_are_not_run_and_layers_are_told(trt: ModuleType) -> None:
    memory = cuda_memory.Runtime(recorded_cuda.cuda_python())
    with pytest.raises(ValueError, match="does not take this engine"):
        Runner(b"\x00" * 64, trt, memory)
    runner = Runner(recorded.ENGINE + models.conv_net().SerializeToString(), trt, memory)
    assert [layer["Name"] for layer in runner.layers()] == ["all", "plain"]
    with pytest.raises(ValueError, match="was not built for the shape"):
        runner.run({"image": np.zeros((1, 3, 15, 16), np.float32)})
    runner.run({"image": np.zeros(SHAPES["image"], np.float32)})
    assert (runner.times().copy_in_ms, runner.times().compute_ms, runner.times().copy_out_ms) == (0.25, 0.25, 0.25)


def test_memory_that_is_not_there_is_an_error_with_cudas_own_name() -> None:
    memory = cuda_memory.Runtime(recorded_cuda.cuda_python(most_bytes=1024))
    assert memory.memory_bytes() == (512, 1024)
    with pytest.raises(cuda_memory.CudaError, match="cudaErrorMemoryAllocation"):
        memory.allocate(4096)


@pytest.mark.promise("P12")
def test_a_machine_without_tensorrt_or_without_cuda_is_told_apart_from_a_bad_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "edgewright.tools.probe.tensorrt_session", raising=False)
    with pytest.raises(ProbeError) as caught:
        session.runtime("tensorrt")
    assert caught.value.kind == "missing"
    monkeypatch.setitem(sys.modules, "tensorrt", recorded.tensorrt("10.3.0"))
    loaded = session.runtime("tensorrt").load(str(written(tmp_path)), 1)
    with pytest.raises(ProbeError, match="neither cuda-python nor pycuda") as missing:
        loaded.run({"image": np.zeros(SHAPES["image"], np.float32)})
    assert missing.value.kind == "missing"


def test_what_is_recorded_of_the_builder_is_there_in_nvidias_own_module() -> None:
    """TensorRT-RTX shares the interface of building; it can be had without a GPU."""
    real = load("tensorrt_rtx_bindings")
    for name in ("Builder", "IBuilderConfig", "INetworkDefinition", "IOptimizationProfile", "OnnxParser", "Runtime"):
        made_up = getattr(recorded, name)
        known = {entry for entry in vars(made_up) if not entry.startswith("_")} - NOTES
        assert known <= set(dir(getattr(real, name))), name


# What the recorded classes note for the tests.
NOTES = {"model", "pools", "flags", "profiles", "cache", "shapes"}
