"""TensorRT's Python module as its versions document it, for machines that have none.

Names and signatures are those of NVIDIA's "TensorRT Python API Reference": 10.3 (archives of docs.nvidia.com, TensorRT
10.3.0, infer/Core: Builder, BuilderConfig, Engine, ExecutionContext, Logger, Runtime; parsers/Onnx), and 11.0 (TensorRT
11.0.0, the same pages), in which weak typing is gone: `BuilderFlag` has no FP16 and INT8, and `STRONGLY_TYPED` is kept
and ignored. `later` is an 11 that has dropped that flag too. What is not in these pages is not here, so that a wrong
name fails. What runs is ONNX Runtime: only the names are TensorRT's.
"""
# The names are another's.
# ruff: noqa: A002, ARG002, FBT001, RUF012

import ctypes
import enum
import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime

ENGINE = b"ptrt"
VERSIONS = ("10.3.0", "11.0.0", "later")


class Strict:
    """Something that has the attributes of its class and takes no others."""

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        super().__setattr__(name, value)


class Severity(enum.IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = Severity
    Severity = Severity

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class Logger(ILogger):
    def __init__(self, min_severity: Severity = Severity.WARNING) -> None:
        self.min_severity = min_severity


class DataType(enum.Enum):
    FLOAT = np.float32
    HALF = np.float16
    INT8 = np.int8
    INT32 = np.int32
    INT64 = np.int64
    BOOL = np.bool_


def nptype(trt_type: DataType) -> type:
    return trt_type.value


class TensorIOMode(enum.Enum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0
    DLA_MANAGED_SRAM = 1


class DeviceType(enum.Enum):
    GPU = 0
    DLA = 1


class ProfilingVerbosity(enum.Enum):
    LAYER_NAMES_ONLY = 0
    NONE = 1
    DETAILED = 2


class LayerInformationFormat(enum.Enum):
    ONELINE = 0
    JSON = 1


def _type_of(value: onnx.ValueInfoProto) -> DataType:
    return DataType(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).type)


def _shape_of(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim)


class ITensor(Strict):
    name, dtype, shape = "", DataType.FLOAT, ()

    def __init__(self, value: onnx.ValueInfoProto) -> None:
        self.name, self.dtype, self.shape = value.name, _type_of(value), _shape_of(value)


class INetworkDefinition(Strict):
    num_layers = num_inputs = num_outputs = 0
    model: onnx.ModelProto = None

    def get_input(self, index: int) -> ITensor:
        return ITensor(self.model.graph.input[index])

    def get_output(self, index: int) -> ITensor:
        return ITensor(self.model.graph.output[index])


class IOptimizationProfile(Strict):
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def set_shape(self, input: str, min: tuple[int, ...], opt: tuple[int, ...], max: tuple[int, ...]) -> None:
        self.shapes = {**self.shapes, input: (min, opt, max)}


class ITimingCache(Strict):
    content = b""

    def serialize(self) -> bytes:
        return self.content + b"learnt"


class IBuilderConfig(Strict):
    profiling_verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
    default_device_type = DeviceType.GPU
    DLA_core = -1
    pools: dict[MemoryPoolType, int] = {}
    flags: tuple[enum.Enum, ...] = ()
    profiles: tuple[IOptimizationProfile, ...] = ()
    cache: ITimingCache | None = None

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self.pools = {**self.pools, pool: pool_size}

    def set_flag(self, flag: enum.Enum) -> None:
        self.flags = (*self.flags, flag)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self.profiles = (*self.profiles, profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        cache = ITimingCache()
        cache.content = serialized_timing_cache
        return cache

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        self.cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        return self.cache


class ParserError(Strict):
    def code(self) -> str:
        return "ErrorCode.UNSUPPORTED_NODE"

    def desc(self) -> str:
        return "false"

    def node(self) -> int:
        return 0

    def node_name(self) -> str:
        return "odd"

    def node_operator(self) -> str:
        return "Unique"


class OnnxParser(Strict):
    num_errors = 0

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network = network

    def parse(self, model: bytes, path: str | None = None) -> bool:
        proto = onnx.ModelProto.FromString(model)
        if any(entry.op_type == "Unique" for entry in proto.graph.node):
            self.num_errors = 1
            return False
        self._network.model, self._network.num_layers = proto, len(proto.graph.node)
        self._network.num_inputs, self._network.num_outputs = len(proto.graph.input), len(proto.graph.output)
        return True

    def get_error(self, index: int) -> ParserError:
        assert index < self.num_errors
        return ParserError()


class IExecutionContext(Strict):
    def __init__(self, model: bytes) -> None:
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._proto = onnx.ModelProto.FromString(model)
        self._addresses: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        wanted = next(_shape_of(value) for value in self._proto.graph.input if value.name == name)
        self._shapes[name] = shape
        return len(wanted) == len(shape) and all(size in {-1, has} for size, has in zip(wanted, shape, strict=True))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        batch = next(iter(self._shapes.values()))[0]
        found = next(_shape_of(value) for value in self._proto.graph.output if value.name == name)
        return tuple(batch if size < 0 else size for size in found)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        feed = {}
        for value in self._proto.graph.input:
            array = np.empty(self._shapes[value.name], nptype(_type_of(value)))
            ctypes.memmove(array.ctypes.data, self._addresses[value.name], array.nbytes)
            feed[value.name] = array
        for value, result in zip(self._proto.graph.output, self._session.run(None, feed), strict=True):
            ctypes.memmove(self._addresses[value.name], result.ctypes.data, result.nbytes)
        return True


class EngineInspector(Strict):
    def get_engine_information(self, format: LayerInformationFormat) -> str:
        assert format is LayerInformationFormat.JSON
        return json.dumps({"Layers": [{"Name": "all", "LayerType": "kgen"}, "plain"]})


class ICudaEngine(Strict):
    num_io_tensors = 0

    def __init__(self, model: bytes) -> None:
        self._model = model
        graph = onnx.ModelProto.FromString(model).graph
        self._inputs, self._outputs = list(graph.input), list(graph.output)
        self.num_io_tensors = len(self._inputs) + len(self._outputs)

    def _value(self, name: str) -> onnx.ValueInfoProto:
        return next(value for value in (*self._inputs, *self._outputs) if value.name == name)

    def get_tensor_name(self, index: int) -> str:
        return [*self._inputs, *self._outputs][index].name

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in {value.name for value in self._inputs} else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return _type_of(self._value(name))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return _shape_of(self._value(name))

    def create_execution_context(self) -> IExecutionContext:
        return IExecutionContext(self._model)

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector()


class Runtime(Strict):
    def __init__(self, logger: ILogger) -> None:
        assert isinstance(logger, ILogger)

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        if not serialized_engine.startswith(ENGINE):
            return None
        return ICudaEngine(serialized_engine[len(ENGINE) :])


class Builder(Strict):
    def __init__(self, logger: ILogger) -> None:
        assert isinstance(logger, ILogger)
        self._logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> bytes | None:
        unbound = [value for value in network.model.graph.input if -1 in _shape_of(value)]
        if unbound and not config.profiles:
            self._logger.log(Severity.ERROR, "Network has dynamic or shape inputs, but no optimization profile")
            return None
        return ENGINE + network.model.SerializeToString()


def tensorrt(version: str) -> ModuleType:
    """Return the module of a version; every call of `create_network` notes its flags in `module.networks`."""
    module: Any = ModuleType("tensorrt")
    parts: Mapping[str, object] = globals()
    names = ("ILogger", "Logger", "OnnxParser", "Runtime", "MemoryPoolType", "DeviceType", "ProfilingVerbosity")
    for name in (*names, "LayerInformationFormat", "TensorIOMode", "nptype", "DataType"):
        setattr(module, name, parts[name])
    weak = ["FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS"] if version == "10.3.0" else []
    module.BuilderFlag = enum.Enum("BuilderFlag", [*weak, "GPU_FALLBACK", "TF32", "REFIT"])
    old = {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}
    new = {"STRONGLY_TYPED": 1, "PREFER_AOT_PYTHON_PLUGINS": 2, "PREFER_JIT_PYTHON_PLUGINS": 3}
    last = {name: number for name, number in new.items() if name != "STRONGLY_TYPED"}
    flags = {"10.3.0": old, "11.0.0": new, "later": last}[version]
    module.NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", flags)
    module.networks = []

    class Noting(Builder):
        def create_network(self, flags: int = 0) -> INetworkDefinition:
            module.networks.append(flags)
            return super().create_network(flags)

    module.Builder = Noting
    module.__version__ = version
    return module
