"""Peak memory of this process, from the kernel."""

from __future__ import annotations

from pathlib import Path


def peak_bytes() -> int:
    """Return the high-water mark of the resident set (VmHWM, proc(5)).

    Not `getrusage`: its maximum survives `exec` and would tell of the process that started this one.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")
