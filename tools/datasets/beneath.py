"""Opens what lies below a folder, through no link and never out of it, in one step that nothing can come between."""

import ctypes
import errno
import os
import stat
import struct
import sys

# openat2(2). Numbers and structure: include/uapi/linux/openat2.h; system calls added since Linux 5.1 have one number
# on all architectures.
_OPENAT2 = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
# O_NONBLOCK: a FIFO without a writer would hang the open until somebody writes.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
# Containers from before Linux 5.6 answer EPERM for system calls that they do not know.
_NO_OPENAT2 = frozenset({errno.ENOSYS, errno.EPERM})


def open_beneath(start: int, relative: str) -> int:
    """Return a descriptor of what `relative` names below a folder.

    Args:
        start: Descriptor of the folder.
        relative: Path without `..`; `.` for the folder itself.

    Raises:
        OSError: ELOOP for a symbolic link anywhere in the path, EXDEV where it would lead out, or what open(2) says.
        UnicodeEncodeError: No file can have that name.
    """
    if sys.platform == "linux":
        how = struct.pack("=QQQ", _FLAGS, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
        libc = ctypes.CDLL(None, use_errno=True)
        result = int(libc.syscall(_OPENAT2, start, os.fsencode(relative), how, ctypes.c_size_t(len(how))))
        if result >= 0:
            return result
        code = ctypes.get_errno()
        if code not in _NO_OPENAT2:
            raise OSError(code, os.strerror(code))
    return _walk(start, relative)


def _walk(start: int, relative: str) -> int:
    """Open part by part without following a link: what openat2 does, for systems that lack it."""
    *above, last = relative.split("/")
    folder = os.dup(start)
    try:
        for part in above:
            lower = _open_part(folder, part, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
            os.close(folder)
            folder = lower
        return _open_part(folder, last, _FLAGS)
    finally:
        os.close(folder)


def _open_part(folder: int, part: str, flags: int) -> int:
    try:
        return os.open(part, flags | os.O_NOFOLLOW, dir_fd=folder)
    except NotADirectoryError:
        # A link that should have been a folder reports the same as a file does.
        if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
        raise
