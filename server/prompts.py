"""Words that lead an agent through the phases."""

from typing import Any

from mcp.server import MCPServer

from edgewright.state.artifacts import Device

INSTRUCTIONS = """\
Edgewright makes a trained model fit for an edge device. It measures everything itself and refuses steps that the
evidence does not support; no argument can carry a measurement, a verdict or an approval.
1. Call get_state() first: it lists runs, jobs at work, allowed folders. Every reply has `phase` and `next`, the legal
   calls with arguments; the first is recommended.
2. Order: profile_model -> one step (quantize or convert) -> benchmark -> validate -> decide(keep|revert) -> the next
   step or package. One step at a time.
3. A reply with status 'running' names a job: poll get_job. The same call again joins the job.
4. A refusal says what, why, and the legal calls. It changed nothing. Do not try to work around it.
5. Numbers labelled 'Host Estimate (not target hardware)' are not device numbers: keep the label when you report them.
6. When accuracy falls outside the tolerance: stop, show the person the numbers, and offer the alternatives.
"""


def add_prompts(server: MCPServer[Any]) -> None:
    """Add the prompts."""

    @server.prompt(
        name="optimize_model", title="Optimise a model", description="Walk one model from PROFILE to PACKAGE."
    )
    def optimize_model(
        model_path: str,
        validation: str,
        calibration: str = "none",
        metric: str = "top-1",
        target_device: str = "cpu-generic",
    ) -> str:
        devices = ", ".join(Device)
        return (
            f"Make the model {model_path} fit for {target_device} (known devices: {devices}) with Edgewright.\n"
            f"Validation set: {validation}; calibration set: {calibration}; metric: {metric}.\n"
            "Call get_state() first, then profile_model. Show me the baseline and the echoed sample, and ask me if the "
            "preprocessing looks wrong. Then take the recommended step in `next`, benchmark and validate it, show me "
            "the numbers with their labels, and decide. Go on until `next` recommends package; then package and "
            "summarise the report. If a verdict fails, stop and let me choose among the alternatives."
        )
