"""Libraries that only some runs need: what brings them, and the line that installs them."""

from importlib import import_module, util
from types import MappingProxyType, ModuleType

from edgewright.state.errors import Code, Refused

# Top-level module to the extra of this package that brings it.
EXTRA_OF = MappingProxyType(
    {
        "pycocotools": "detection",
        "soundfile": "audio",
        "scipy": "audio",
        "tokenizers": "text",
        "pyarrow": "parquet",
        "tensorrt_rtx_bindings": "tensorrt",
    }
)


def install_line(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'edgewright[{extra}]'"


def missing_modules() -> dict[str, str]:
    """Return the libraries that are not installed, each with the line that installs it; none is loaded."""
    return {name: install_line(extra) for name, extra in EXTRA_OF.items() if util.find_spec(name) is None}


def load(module: str) -> ModuleType:
    """Return a module of an extra.

    Raises:
        Refused: MISSING_EXTRA, with the line that installs it.
    """
    library = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        line = install_line(EXTRA_OF[library])
        raise Refused.because(
            Code.MISSING_EXTRA,
            f"what needs the library {library}",
            f"{library} is not installed; it comes with the extra `{EXTRA_OF[library]}`",
            f"have the operator run: {line}",
            install=line,
        ) from error
