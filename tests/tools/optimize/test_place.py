"""A candidate is run once where it will be measured, before it counts as one."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from onnx import numpy_helper
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value
from onnx_models import F, model
from optimize_bench import BenchOf

from edgewright.state.errors import Code, Refused
from edgewright.state.events import CandidateMade
from edgewright.tools.optimize.work import work
from edgewright.tools.targets.answer import Facts, ProbeAnswer
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import ProbeRequest
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Progress, Workspace


@dataclass
class Device:
    """A place that is not this host, and whose runtime may be too old for what it is given."""

    is_old: bool
    seen: list[str] = field(default_factory=list)

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        self.seen += [artifact.name for artifact in request.models.values()]
        if self.is_old:
            raise Refused.because(Code.MODEL_INVALID, "running it on bench", "an opset too new", "choose another")
        return Host("none").run(request, workspace, progress)


@pytest.mark.promise("P2")
@pytest.mark.parametrize("is_old", [False, True])
def test_a_candidate_is_one_only_if_the_devices_runtime_runs_it(bench_of: BenchOf, *, is_old: bool) -> None:
    weights = numpy_helper.from_array(np.eye(8, dtype=np.float32), "w")
    ends = [value("x", F, ["n", 8])], [value("y", F, ["n", 8])]
    bench = bench_of(model([node("MatMul", ["x", "w"], ["y"])], *ends, [weights]), calibration=0)
    device, order = Device(is_old), bench.quantize_order("fp16")
    if is_old:
        with pytest.raises(Refused) as caught:
            work(order, bench.workspace, Places(bench.target, device))
        assert caught.value.refusal.code is Code.MODEL_INVALID
    else:
        assert isinstance(work(order, bench.workspace, Places(bench.target, device)).evidence, CandidateMade)
    assert device.seen == ["My-net_cast_fp16.onnx"]
