"""Landlock: after `confine` this process and its children can write one folder, read a few, and talk to nobody.

Source of the structures and numbers: the kernel's documentation, userspace-api/landlock, and
include/uapi/linux/landlock.h.
Needs no privilege. Where the kernel has no Landlock nothing is confined, and the result says so.
"""

import ctypes
import os
import site
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

# The same on x86_64 and aarch64: system calls added since Linux 5.1 share their numbers.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_RIGHTS_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15}
_RIGHTS_SINCE_5 = 16

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_abi() -> int:
    """Return the version of the kernel's Landlock, 0 where it has none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)))


def confine(readable: Iterable[Path], writable: Iterable[Path]) -> str:
    """Confine this process and its children for good; return how, in words for the record.

    Args:
        readable: Files and folders that may be read. Those that do not exist are left out.
        writable: Folders in which anything may be done, and devices.
    """
    abi = landlock_abi()
    if abi == 0:
        return "none"
    rights = (1 << _RIGHTS_KNOWN.get(abi, _RIGHTS_SINCE_5)) - 1
    attributes = struct.pack("Q", rights)
    if abi >= 4:
        attributes += struct.pack("Q", 0b11)  # no TCP, neither bind nor connect
    if abi >= 6:
        attributes += struct.pack("Q", 0b11)  # no signals and no abstract sockets out of this domain
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for path in readable:
            _allow(ruleset, path, _READ)
        for path in writable:
            _allow(ruleset, path, rights)
        _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return f"landlock abi {abi}"


def interpreter_folders() -> list[Path]:
    """Return what Python, its packages and their shared libraries are read from, and what describes this machine."""
    folders = {Path(entry) for entry in sys.path if entry} | {Path(sys.prefix), Path(sys.base_prefix)}
    folders |= {Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))}
    folders.add(Path(site.getuserbase()) / "lib")  # and not the state that lies beside it, keys included
    folders.add(Path(__file__).resolve().parent.parent)  # an editable install reads through links into the checkout
    folders |= {
        Path(path)
        for path in (
            *("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc", "/sys"),
            *("/etc/os-release", "/etc/nv_tegra_release"),
        )
    }
    return sorted(folders)


def device_files() -> list[Path]:
    """Return the devices that programs expect to read and write."""
    return [Path("/dev/null"), Path("/dev/zero"), Path("/dev/urandom"), Path("/dev/random")]


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = rights if path.is_dir() else rights & _FILE_RIGHTS
        rule = struct.pack("=Qi", allowed, descriptor)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return int(result)
