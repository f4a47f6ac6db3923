"""What a child process gets of our environment: an allow-list, since no model or library needs our secrets."""

import os

# OPENBLAS_*: on some processors an OpenBLAS computes wrongly or crashes without the kernel named there.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")

SSH_AGENT = "SSH_AUTH_SOCK"


def inherited(**given: str) -> dict[str, str]:
    """Return the environment of a child process.

    ONNX Runtime sends telemetry unless it is told not to before its import (microsoft/onnxruntime#27379).

    Args:
        **given: Variables to set beside, or instead of, those passed on.
    """
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, "ORT_DISABLE_TELEMETRY": "1", **given}


def inherited_with_agent() -> dict[str, str]:
    """Return the environment of what may log in to a target: where the SSH agent listens is part of it."""
    return inherited(**{name: os.environ[name] for name in (SSH_AGENT,) if name in os.environ})
