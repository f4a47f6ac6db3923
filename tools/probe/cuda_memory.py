"""Memory, streams and events of an NVIDIA GPU, through cuda-python or PyCUDA, whichever the machine has.

Also shipped in packages, so it imports nothing of Edgewright.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any, Tuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

Module = Any  # neither library has types
Event = Any

# The runtime's bindings by the names that they had over time (cuda-python documentation, "Release Notes", 12.8: the
# modules moved below `cuda.bindings`).
RUNTIME_MODULES = ("cuda.bindings.runtime", "cuda.cudart")
PYCUDA_MODULES = ("pycuda.driver",)


class CudaError(Exception):
    """Raised where a call of CUDA did not succeed, or nothing is installed to call it with."""


def cuda() -> "Runtime | Driver":
    """Return what is installed.

    Raises:
        CudaError: Nothing is.
    """
    for name in (*RUNTIME_MODULES, *PYCUDA_MODULES):
        if not _is_there(name):
            continue
        module = importlib.import_module(name)
        if name in RUNTIME_MODULES:
            return Runtime(module)
        importlib.import_module("pycuda.autoinit")  # makes the context that its calls need
        return Driver(module)
    raise CudaError("neither cuda-python nor pycuda is installed here")


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False


class Runtime:
    """CUDA's runtime through cuda-python, whose functions return a status before what they give."""

    def __init__(self, module: Module) -> None:
        self._cuda = module
        (self._stream,) = self._checked(module.cudaStreamCreate())

    @property
    def stream(self) -> int:
        """Handle of the stream that everything here runs on."""
        return int(self._stream)

    def allocate(self, size: int) -> int:
        """Return the address of new device memory of `size` bytes."""
        (address,) = self._checked(self._cuda.cudaMalloc(max(size, 1)))
        return int(address)

    def free(self, address: int) -> None:
        """Give device memory back."""
        self._checked(self._cuda.cudaFree(address))

    def to_device(self, address: int, array: "Array") -> None:
        """Copy an array that is contiguous."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._checked(self._cuda.cudaMemcpyAsync(address, array.ctypes.data, array.nbytes, kind, self._stream))

    def to_host(self, array: "Array", address: int) -> None:
        """Copy into an array that is contiguous."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._checked(self._cuda.cudaMemcpyAsync(array.ctypes.data, address, array.nbytes, kind, self._stream))

    def wait(self) -> None:
        """Wait until all that was asked for is done."""
        self._checked(self._cuda.cudaStreamSynchronize(self._stream))

    def event(self) -> Event:
        """Return a point in time on the stream, to be recorded."""
        return self._checked(self._cuda.cudaEventCreate())[0]

    def record(self, event: Event) -> None:
        """Have it be now."""
        self._checked(self._cuda.cudaEventRecord(event, self._stream))

    def elapsed_ms(self, start: Event, end: Event) -> float:
        """Return the milliseconds between two recorded points that are over."""
        return float(self._checked(self._cuda.cudaEventElapsedTime(start, end))[0])

    def memory_bytes(self) -> Tuple[int, int]:
        """Return the device's free memory and all of it."""
        free, total = self._checked(self._cuda.cudaMemGetInfo())
        return int(free), int(total)

    def _checked(self, answer: "Tuple[Any, ...]") -> "Tuple[Any, ...]":
        status, *given = answer
        if int(status) != 0:
            raise CudaError("CUDA answered %s" % (getattr(status, "name", status),))
        return tuple(given)


class Driver:
    """CUDA's driver through PyCUDA, which raises exceptions of its own."""

    def __init__(self, module: Module) -> None:
        self._cuda = module
        self._stream = module.Stream()
        self._held: "dict[int, Any]" = {}

    @property
    def stream(self) -> int:
        """Handle of the stream that everything here runs on."""
        return int(self._stream.handle)

    def allocate(self, size: int) -> int:
        """Return the address of new device memory of `size` bytes."""
        memory = self._cuda.mem_alloc(max(size, 1))
        self._held[int(memory)] = memory
        return int(memory)

    def free(self, address: int) -> None:
        """Give device memory back."""
        self._held.pop(address).free()

    def to_device(self, address: int, array: "Array") -> None:
        """Copy an array that is contiguous."""
        self._cuda.memcpy_htod_async(address, array, self._stream)

    def to_host(self, array: "Array", address: int) -> None:
        """Copy into an array that is contiguous."""
        self._cuda.memcpy_dtoh_async(array, address, self._stream)

    def wait(self) -> None:
        """Wait until all that was asked for is done."""
        self._stream.synchronize()

    def event(self) -> Event:
        """Return a point in time on the stream, to be recorded."""
        return self._cuda.Event()

    def record(self, event: Event) -> None:
        """Have it be now."""
        event.record(self._stream)

    def elapsed_ms(self, start: Event, end: Event) -> float:
        """Return the milliseconds between two recorded points that are over."""
        return float(start.time_till(end))

    def memory_bytes(self) -> Tuple[int, int]:
        """Return the device's free memory and all of it."""
        free, total = self._cuda.mem_get_info()
        return int(free), int(total)
