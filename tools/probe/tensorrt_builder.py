"""From an ONNX file to a TensorRT engine, on the machine that will run it, by TensorRT 10 or 11 or TensorRT-RTX.

Precision comes from the graph alone: no flag of the builder changes what is computed. What the versions do not share is
asked for before it is used. Shipped in packages beside the model: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

# The modules of TensorRT have no types, and there are several of them: they come in as arguments, with what they make.
Module = Any
Made = Any
MIB = 1 << 20

Shapes = Mapping[str, Sequence[int]]
"""Input to the one shape that it is built for, where the graph leaves a size open."""


@dataclass(frozen=True)
class Fault:
    """Why a node of the graph does not become part of an engine.

    Attributes:
        node: Its name, or that of its first output.
        operator: Its type.
        code: The parser's name of what is wrong, such as `UNSUPPORTED_NODE`.
        reason: What the parser says.
    """

    node: str
    operator: str
    code: str
    reason: str


class Unbuildable(Exception):
    """Raised where TensorRT does not take a graph; holds the faults of its nodes, or what the builder said."""

    def __init__(self, message: str, faults: Tuple[Fault, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


@dataclass(frozen=True)
class Options:
    """How an engine is built.

    Attributes:
        workspace_mib: Most memory that a layer may use beside its tensors.
        timing_cache: What an earlier build learnt on this machine; empty where there was none.
        dla_core: The deep learning accelerator to put on it what it can run; `None` for the GPU alone. An Orin Nano has
            none.
    """

    workspace_mib: int = 1024
    timing_cache: bytes = b""
    dla_core: Optional[int] = None


class Build:
    """A graph on its way to an engine."""

    def __init__(self, trt: Module) -> None:
        """Take the module: `tensorrt` or `tensorrt_rtx`."""
        self._trt = trt
        self.log: List[str] = []
        self._logger = _logger(trt, self.log)
        self._builder = trt.Builder(self._logger)
        self._network = self._builder.create_network(_network_flags(trt))

    def parse(self, model: bytes) -> int:
        """Read an ONNX file; return how many layers it became.

        Raises:
            Unbuildable: With every node that the parser does not take, as far as it tells.
        """
        parser = self._trt.OnnxParser(self._network, self._logger)
        if parser.parse(model):
            return int(self._network.num_layers)
        faults = tuple(_fault(parser.get_error(number)) for number in range(parser.num_errors))
        raise Unbuildable("; ".join(fault.reason for fault in faults) or self._last_words(), faults)

    def inputs(self) -> List[Tuple[str, str, Tuple[int, ...]]]:
        """Return name, NumPy's element type and shape of each input, -1 where the graph leaves a size open."""
        return [self._described(self._network.get_input(number)) for number in range(self._network.num_inputs)]

    def outputs(self) -> List[Tuple[str, str, Tuple[int, ...]]]:
        """Return the same of each output."""
        return [self._described(self._network.get_output(number)) for number in range(self._network.num_outputs)]

    def open_inputs(self) -> Mapping[str, Tuple[int, ...]]:
        """Return the inputs whose sizes the graph leaves open, with their shapes."""
        return {name: shape for name, _, shape in self.inputs() if -1 in shape}

    def _described(self, tensor: Made) -> Tuple[str, str, Tuple[int, ...]]:
        dtype = self._trt.nptype(tensor.dtype).__name__
        return str(tensor.name), str(dtype), tuple(int(size) for size in tensor.shape)

    def configured(self, shapes: Shapes, options: Options) -> Made:
        """Return the builder's configuration for a graph that was parsed.

        Raises:
            Unbuildable: An input with an open size has no shape to be built for.
        """
        trt, config = self._trt, self._builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * MIB)
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        if self.open_inputs():
            config.add_optimization_profile(self._profile(shapes))
        if options.dla_core is not None:
            config.default_device_type = trt.DeviceType.DLA
            config.DLA_core = options.dla_core
            config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
        if hasattr(config, "create_timing_cache"):
            config.set_timing_cache(config.create_timing_cache(options.timing_cache), ignore_mismatch=False)
        return config

    def engine(self, config: Made) -> bytes:
        """Return the engine's file.

        Raises:
            Unbuildable: With what the builder said last.
        """
        built = self._builder.build_serialized_network(self._network, config)
        if built is None:
            raise Unbuildable(self._last_words())
        return bytes(built)

    def _profile(self, shapes: Shapes) -> Made:
        profile = self._builder.create_optimization_profile()
        for name in self.open_inputs():
            if name not in shapes:
                raise Unbuildable("input %s has an open size, and no shape says which to build for" % name)
            profile.set_shape(name, tuple(shapes[name]), tuple(shapes[name]), tuple(shapes[name]))
        return profile

    def _last_words(self) -> str:
        return self.log[-1] if self.log else "TensorRT does not say why"


def timing_cache_of(config: Made) -> bytes:
    """Return what a build learnt about this machine, for the next one; empty where this TensorRT keeps none."""
    cache = config.get_timing_cache() if hasattr(config, "get_timing_cache") else None
    return b"" if cache is None else bytes(cache.serialize())


def _network_flags(trt: Module) -> int:
    """Return the flags of a network whose types come from its graph: TensorRT 11 has no others."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _logger(trt: Module, lines: List[str]) -> Made:
    """Return a logger that writes errors and warnings into a list, and nothing anywhere else."""

    class Collecting(trt.ILogger):  # type: ignore[misc]  # the module has no types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Made, message: str) -> None:
            if int(severity) <= int(trt.ILogger.ERROR):
                lines.append(" ".join(message.split()))

    return Collecting()


def _fault(error: Made) -> Fault:
    # Without a GPU each message drags one about the missing driver along.
    said = " ".join(str(error.desc()).split()).partition(" [checkMacros")[0]
    return Fault(
        node=str(error.node_name() or error.node()),
        operator=str(error.node_operator()),
        code=str(error.code()).rpartition(".")[2],
        reason="TensorRT has no such operator" if said in {"", "false"} else said,
    )
