"""PyTorch exported programs (`.pt2`), as the probe sees them: loaded without unpickling code, in their toolchain.

Inputs are called as the program calls its arguments; outputs as the nodes that they come from.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

# `torch.export.load` unpickles whatever it cannot read otherwise, unless this is set (pytorch/pytorch#176791).
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
import torch

from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Array
from edgewright.tools.probe.session import Description, Feed, OperatorTime, Port


class TorchSession:
    """An exported program and the module that answers as it does."""

    def __init__(self, program: Any) -> None:
        self.program = program
        signature = program.graph_signature
        tensors = {node.name: node.meta.get("val") for node in program.graph.nodes}
        self.inputs = tuple(_port(name, tensors.get(name)) for name in signature.user_inputs)
        self.outputs = tuple(_port(name, tensors.get(name)) for name in signature.user_outputs)
        # Guards are Python code out of the file; an input that does not fit is refused before it comes here.
        self._module = program.module(check_guards=False)

    def run(self, feed: Feed) -> List[Array]:
        """Run one inference.

        Raises:
            ProbeError: PyTorch failed.
        """
        try:
            with torch.inference_mode():
                answers = self._module(*(torch.from_numpy(feed[port.name]) for port in self.inputs))
        except Exception as error:  # operators and the program's own assertions share no other base class
            raise _probe_error("run", error) from error
        return [answer.numpy() for answer in torch.utils._pytree.tree_leaves(answers)]  # noqa: SLF001


def version() -> str:
    """Return the version of the library."""
    return str(torch.__version__)


def load(path: str, threads: int) -> TorchSession:
    """Load an exported program.

    Raises:
        ProbeError: PyTorch refused the file, or it takes or gives something other than tensors by position.
    """
    torch.set_num_threads(threads)
    try:
        link = Path(tempfile.mkdtemp()) / "model.pt2"
        link.symlink_to(path)
        return TorchSession(torch.export.load(str(link)))
    except ProbeError:
        raise
    except Exception as error:  # archive, schema and unpickling errors share no other base class
        raise _probe_error("load", error) from error


def profile(path: str, threads: int, feeds: Sequence[Feed], warmup_runs: int, folder: Path) -> Tuple[OperatorTime, ...]:
    """Return nothing: times of PyTorch's operators say nothing of any device."""
    del path, threads, feeds, warmup_runs, folder
    return ()


def describe(session: TorchSession) -> Description:
    """Say what a program is."""
    program = session.program
    called = Counter(str(node.target) for node in program.graph.nodes if node.op == "call_function")
    sizes: Dict[str, int] = Counter()
    parameters = [program.state_dict[name] for name in program.graph_signature.parameters]
    for tensor in parameters:
        sizes[_dtype(tensor)] += max(1, tensor.numel())
    weights = max(sizes, key=lambda name: sizes[name]) if sizes else "float32"
    trained = sum(tensor.numel() for tensor in parameters)
    return Description(trained, dict(called), weights, "PyTorch exported program, loaded by version %s" % version())


def _port(name: Any, tensor: Any) -> Port:
    if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
        raise ProbeError("load", "it takes or gives something other than tensors: export a module of tensors alone")
    shape: Tuple[Optional[int], ...] = tuple(size if isinstance(size, int) else None for size in tensor.shape)
    return Port(name, _dtype(tensor), shape)


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).replace("torch.", "")


def _probe_error(kind: str, error: Exception) -> ProbeError:
    text = " ".join(str(error).split())
    out_of_memory = isinstance(error, MemoryError) or "DefaultCPUAllocator" in text
    return ProbeError("memory" if out_of_memory else kind, "%s: %s" % (type(error).__name__, text))
