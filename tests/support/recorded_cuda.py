"""CUDA's memory as its two Python interfaces document it, for machines that have none.

cuda-python's `cuda.bindings.runtime`, which returns a status before all else, and `pycuda.driver` of PyCUDA
(documen.tician.de/pycuda). What is not in these pages is not here, so that a wrong name fails.
"""
# The names are another's.
# ruff: noqa: ARG002, ARG005, N815

import ctypes
import enum
from types import ModuleType
from typing import Any


class _Allocated:
    """Memory of this process in place of a device's: addresses are real, and copies are copies."""

    def __init__(self) -> None:
        self.held: dict[int, object] = {}

    def new(self, size: int) -> int:
        memory = ctypes.create_string_buffer(size)
        self.held[ctypes.addressof(memory)] = memory
        return ctypes.addressof(memory)


class CudaStatus(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2


class CudaMemcpyKind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


def cuda_python(most_bytes: int = 1 << 30) -> ModuleType:
    """Return `cuda.bindings.runtime`, of a device with so much memory."""
    module: Any = ModuleType("cuda.bindings.runtime")
    memory, fine = _Allocated(), CudaStatus.cudaSuccess
    module.cudaMemcpyKind = CudaMemcpyKind
    module.cudaStreamCreate = lambda: (fine, 7)
    module.cudaStreamSynchronize = lambda stream: (fine,)
    module.cudaEventCreate = lambda: (fine, [0.0])
    module.cudaEventRecord = lambda event, stream: (fine,)
    module.cudaEventElapsedTime = lambda start, end: (fine, 0.25)
    module.cudaMemGetInfo = lambda: (fine, most_bytes // 2, most_bytes)

    def malloc(size: int) -> tuple[CudaStatus, int]:
        return (CudaStatus.cudaErrorMemoryAllocation, 0) if size > most_bytes else (fine, memory.new(size))

    def copy(dst: int, src: int, count: int, kind: CudaMemcpyKind, stream: int) -> tuple[CudaStatus]:
        ctypes.memmove(dst, src, count)
        return (fine,)

    def free(address: int) -> tuple[CudaStatus]:
        del memory.held[address]
        return (fine,)

    module.cudaMalloc, module.cudaMemcpyAsync, module.cudaFree = malloc, copy, free
    return module


def pycuda_driver() -> ModuleType:
    """Return `pycuda.driver`."""
    module: Any = ModuleType("pycuda.driver")
    memory = _Allocated()

    class DeviceAllocation:
        def __init__(self, size: int) -> None:
            self._address = memory.new(size)

        def __int__(self) -> int:
            return self._address

        def free(self) -> None:
            del memory.held[self._address]

    class Stream:
        handle = 7

        def synchronize(self) -> None:
            pass

    class Event:
        def record(self, stream: Stream) -> "Event":
            return self

        def time_till(self, event: "Event") -> float:
            return 0.25

    module.Stream, module.Event, module.mem_alloc = Stream, Event, DeviceAllocation
    module.memcpy_htod_async = lambda dest, src, stream: ctypes.memmove(dest, src.ctypes.data, src.nbytes)
    module.memcpy_dtoh_async = lambda dest, src, stream: ctypes.memmove(dest.ctypes.data, src, dest.nbytes)
    module.mem_get_info = lambda: (1 << 29, 1 << 30)
    return module
