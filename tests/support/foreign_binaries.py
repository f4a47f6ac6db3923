"""`python foreign_binaries.py COMMAND ...`: runs a command where aarch64 programs start through QEMU, and nowhere else.

A user namespace has a binfmt_misc of its own since Linux 6.7 (kernel documentation, admin-guide/binfmt-misc), so the
registration ends with the namespace. Needs root, and Debian's `qemu-user-static` for QEMU and its registration line.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

# linux/sched.h, linux/mount.h, linux/prctl.h
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_REC_PRIVATE = 0x4000 | 0x40000
PR_SET_PDEATHSIG = 1
REGISTRATION = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
EVERY_ID = "0 0 65536"

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    if result:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")


def die_with_parent() -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def inside(command: list[str], ready: int, mapped: int) -> None:
    """Enter the namespaces, wait for the map of ids, register QEMU, become the command."""
    die_with_parent()
    checked(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
    os.write(ready, b"!")
    os.read(mapped, 1)
    os.setgid(0)
    os.setuid(0)
    die_with_parent()  # a change of user has cleared it
    checked(libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None), "making mounts private")
    checked(libc.mount(b"none", os.fsencode(BINFMT), b"binfmt_misc", 0, None), "mounting binfmt_misc")
    with (BINFMT / "register").open("wb", buffering=0) as register:
        register.write(REGISTRATION.read_bytes().strip())
    os.execvp(command[0], command)


def main(command: list[str]) -> int:
    """Map every id of this machine into a new namespace and run the command there."""
    die_with_parent()
    ready, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        inside(command, ready[1], mapped[0])
    os.read(ready[0], 1)
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{kind}").write_text(EVERY_ID, encoding="ascii")
    os.write(mapped[1], b"!")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
