"""Which toolchains there are, which of them are installed below the state folder, and the line that installs one.

Standard library only, and nothing of a toolchain is imported: the server asks these questions.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from edgewright.state.errors import Code, Refused

# What a framework finds in its environment, and why: the first closes the two ways by which `torch.export.load` would
# unpickle code (pytorch/pytorch#176791); the rest keep it from the network, from graphics cards and from chatter.
SAFE = MappingProxyType(
    {
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
        "KERAS_BACKEND": "tensorflow",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
)


@dataclass(frozen=True)
class Toolchain:
    """An environment of its own.

    Attributes:
        name: What `edgewright toolchain install` calls it.
        brings: What it is for.
        modules: What must be importable in it.
        distributions: The packages whose versions say what it is.
        pip_options: What pip is told beside the pins.
    """

    name: str
    brings: str
    modules: tuple[str, ...]
    distributions: tuple[str, ...]
    pip_options: tuple[str, ...] = ()

    @property
    def install_line(self) -> str:
        """The command that makes it."""
        return f"edgewright toolchain install {self.name}"

    @property
    def requirements(self) -> str:
        """The pinned packages, as pip reads them."""
        return (files("edgewright.tools.toolchains") / "requirements" / f"{self.name}.txt").read_text(encoding="utf-8")

    @property
    def digest(self) -> str:
        """SHA-256 of the pinned packages."""
        return hashlib.sha256(self.requirements.encode()).hexdigest()


TOOLCHAINS = MappingProxyType(
    {
        toolchain.name: toolchain
        for toolchain in (
            Toolchain(
                "keras",
                "Keras models: measured as they are, converted to TFLite and ONNX",
                ("tensorflow", "keras", "tf2onnx"),
                ("tensorflow-cpu", "keras", "tf2onnx"),
            ),
            Toolchain(
                "torch",
                "PyTorch exported programs: measured as they are, converted to ONNX",
                ("torch", "onnxscript"),
                ("torch", "onnxscript"),
            ),
            Toolchain(
                "onnx2tf",
                "ONNX models converted to TFLite, and with `torch` PyTorch ones too",
                ("onnx2tf", "onnxsim"),
                ("onnx2tf", "onnx"),
                # It names Python 3.12 as its least; its direct back end works with 3.11 too, which the tests hold.
                ("--ignore-requires-python",),
            ),
        )
    }
)


@dataclass(frozen=True)
class Toolchains:
    """The toolchains of one state folder.

    Attributes:
        folder: Where they lie, a folder each; nothing where there can be none.
    """

    folder: Path | None

    def path(self, name: str) -> Path:
        """Return the folder that a toolchain has, or would have."""
        return (self.folder or Path("/nowhere")) / name

    def versions(self, name: str) -> dict[str, str] | None:
        """Return what an installed toolchain consists of; nothing where it is missing or was made of other pins."""
        try:
            noted = json.loads((self.path(name) / "installed.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        fits = noted.get("requirements_sha256") == TOOLCHAINS[name].digest
        return {str(package): str(version) for package, version in noted["versions"].items()} if fits else None

    def missing(self) -> dict[str, str]:
        """Return the toolchains that are not installed, each with the line that installs it."""
        return {name: entry.install_line for name, entry in TOOLCHAINS.items() if self.versions(name) is None}

    def python(self, name: str) -> Path:
        """Return the interpreter of a toolchain.

        Raises:
            Refused: MISSING_EXTRA, with the line that installs it.
        """
        if self.versions(name) is not None:
            return self.path(name) / "bin" / "python"
        toolchain = TOOLCHAINS[name]
        raise Refused.because(
            Code.MISSING_EXTRA,
            f"what needs the toolchain `{name}` ({toolchain.brings})",
            "it is not installed, or was installed by another version of Edgewright",
            f"have the operator run: {toolchain.install_line}",
            install=toolchain.install_line,
        )


NO_TOOLCHAINS = Toolchains(None)
