"""What is on a target and what is missing there, with the lines that install it. A person asks; nothing is changed."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from edgewright.state.artifacts import Device
from edgewright.state.errors import WorkerFailed
from edgewright.state.files import file_sha256
from edgewright.tools.inheritance import inherited_with_agent
from edgewright.tools.targets.answer import FactsDocument, MachineFacts
from edgewright.tools.targets.bundle import write_bundle
from edgewright.tools.targets.connection import Connection, Hello
from edgewright.tools.targets.enrolled import Enrolled
from edgewright.tools.targets.label import require_kind

LEAST_PYTHON = (3, 9)
LEAST_FREE_BYTES = 1 << 30
LIMIT_S = 60

# Newest version with a wheel for a Python, where that is not the newest there is; PyPI's file lists, 2026-11.
_NEWEST = MappingProxyType(
    {
        "onnxruntime": {(3, 9): "1.19.2", (3, 10): "1.23.2"},
        "ai-edge-litert": {(3, 9): "2.1.0"},
        "numpy": {(3, 9): "2.0.2", (3, 10): "2.2.6"},
    }
)
# What executes models on each kind: any one of the modules, and the package that brings the first.
_RUNTIMES = MappingProxyType(
    {
        Device.CPU_GENERIC: (("onnxruntime",), "onnxruntime"),
        Device.RASPBERRY_PI_4: (("ai_edge_litert", "tflite_runtime"), "ai-edge-litert"),
        Device.RASPBERRY_PI_5: (("ai_edge_litert", "tflite_runtime"), "ai-edge-litert"),
        Device.JETSON_ORIN_NANO: (("tensorrt",), ""),
    }
)
JETPACK_LINE = "sudo apt-get install python3-libnvinfer   # JetPack's own TensorRT"


@dataclass(frozen=True)
class Line:
    """One thing that was looked at.

    Attributes:
        item: What.
        found: What is there.
        remedy: What to do about it, a line each; empty where all is well.
    """

    item: str
    found: str
    remedy: str = ""


def check(target: Enrolled, folder: Path, *, offline: bool = False) -> tuple[Line, ...]:
    """Look at a target.

    Args:
        target: Which.
        folder: An empty folder on this machine to work in.
        offline: Whether the target has no network to install from.

    Raises:
        Refused: It cannot be reached, is busy, or is not what it was enrolled as.
        WorkerFailed: It answers otherwise than a keeper does.
    """
    with Connection(target, folder / "ssh.log", inherited_with_agent()) as connection:
        hello = connection.hello
        facts = _facts(connection, folder) if python_of(hello) >= LEAST_PYTHON else None
    if facts is not None:
        require_kind(facts, target.kind, target.alias)
    return (*_software(target, hello, offline=offline), *_machine(hello, facts))


def _facts(connection: Connection, folder: Path) -> MachineFacts:
    bundle = folder / "probe.pyz"
    write_bundle(bundle)
    with bundle.open("rb") as stream:
        connection.put(stream, bundle.name, file_sha256(bundle))
    request = {"version": 1, "task": "machine", "folder": "check"}
    connection.put_bytes(json.dumps(request).encode(), "check/request.json")
    ended = connection.run(bundle=bundle.name, folder="check", threads=1, limit_s=LIMIT_S, watcher=lambda _note: None)
    if ended.status != 0:
        raise WorkerFailed(f"the probe ended with {ended.status} there: {ended.log.strip()[-300:]}")
    connection.get("check", "answer.json", folder / "answer.json")
    try:
        document = TypeAdapter(FactsDocument).validate_json((folder / "answer.json").read_bytes())
    except ValidationError as error:
        raise WorkerFailed(f"what the probe wrote cannot be read: {error}") from error
    return document.environment


def python_of(hello: Hello) -> tuple[int, int]:
    """Return the version of the interpreter there."""
    major, minor = hello.python.split(".")[:2]
    return int(major), int(minor)


def _software(target: Enrolled, hello: Hello, *, offline: bool) -> list[Line]:
    version = python_of(hello)
    if version < LEAST_PYTHON:
        remedy = "install Python 3.9 or later there, and enrol the target anew with --python PATH"
        return [Line("Python", hello.python, remedy)]
    modules, package = _RUNTIMES[target.kind]
    there = [name for name in modules if name in hello.modules]
    wanted = ([] if "numpy" in hello.modules else ["numpy"]) + ([] if there or not package else [package])
    line = ""
    if wanted:
        line = offline_lines(wanted, version, hello.machine) if offline else install_line(target, wanted, version)
    runtime = ", ".join(f"{name} {hello.modules[name]}" for name in there) or "missing"
    return [
        Line("Python", hello.python),
        Line("NumPy", hello.modules.get("numpy", "missing"), "" if "numpy" in hello.modules else line),
        Line("runtime", runtime, "" if there else line or JETPACK_LINE),
    ]


def install_line(target: Enrolled, packages: list[str], version: tuple[int, int]) -> str:
    """Return the line that installs packages on a target, in versions that have a wheel for its Python.

    An interpreter of the distribution is left alone (PEP 668): it gets an environment beside it.
    """
    pinned = [_pinned(package, version) for package in packages]
    if target.python in {"python3", "/usr/bin/python3"}:
        return (
            f"python3 -m venv ~/edgewright && ~/edgewright/bin/python -m pip install {' '.join(pinned)}   # on "
            f"{target.alias}; then enrol it with --python ~/edgewright/bin/python"
        )
    return f"{target.python} -m pip install {' '.join(pinned)}   # on {target.alias}"


def offline_lines(packages: list[str], version: tuple[int, int], machine: str) -> str:
    """Return the lines that bring packages to a target without network: fetched here, installed there."""
    tag = f"{version[0]}{version[1]}"
    platforms = " ".join(f"--platform manylinux_2_{minor}_{machine}" for minor in (28, 27, 17))
    pinned = " ".join(_pinned(package, version) for package in packages)
    return "\n".join(
        (
            f"pip download --only-binary=:all: --python-version {version[0]}.{version[1]} --implementation cp "
            f"--abi cp{tag} {platforms} -d wheels {pinned}   # here",
            f"python3 -m pip install --no-index --find-links wheels {pinned}   # there, beside the copied `wheels`",
        )
    )


def _pinned(package: str, version: tuple[int, int]) -> str:
    newest = _NEWEST.get(package, {}).get(version)
    return f"{package}=={newest}" if newest else package


def _machine(hello: Hello, facts: MachineFacts | None) -> list[Line]:
    lines = [
        Line("machine", f"{hello.machine}, {hello.libc}"),
        Line(
            "free disk",
            f"{hello.free_bytes / LEAST_FREE_BYTES:.1f} GiB",
            "" if hello.free_bytes >= LEAST_FREE_BYTES else "free space there: models and samples are copied to it",
        ),
    ]
    if facts is None:
        return lines
    shown = facts.model_dump(exclude={"runtimes", "boot_id", "machine", "python", "vnni"})
    return [*lines, *(Line(name.replace("_", " "), _words(value)) for name, value in shown.items())]


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)
