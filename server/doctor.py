"""What this installation can do, what it cannot, and the line that changes that."""

import os
import sqlite3
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil

from edgewright.server.house import toolchains_of
from edgewright.server.settings import Settings, config_file
from edgewright.tools.authority import signatures
from edgewright.tools.authority.enrolment import Authority
from edgewright.tools.confinement import landlock_abi
from edgewright.tools.extras import EXTRA_OF, install_line, missing_modules
from edgewright.tools.package import pictures
from edgewright.tools.runtimes.grid import RUNTIMES, version_of
from edgewright.tools.toolchains.table import TOOLCHAINS

GIB = 1 << 30


def report(settings: Settings) -> int:
    """Print the report; return 0 where the core works, 1 where something that it needs is missing."""
    lines = [
        *_installation(),
        *_toolchains(settings),
        *_machine(settings),
        *_people(settings),
        *_configuration(settings),
    ]
    for what, state, remedy, missing in lines:
        mark = "!!" if missing else "  "
        print(f"{mark} {what:<18} {state}" + (f"\n{'':>21} -> {remedy}" if remedy else ""))
    return 1 if any(missing for *_, missing in lines) else 0


Line = tuple[str, str, str, bool]


def _installation() -> list[Line]:
    lines: list[Line] = [
        (name, version(name), "", False) for name in ("edgewright", "mcp", "onnx", "onnxsim", "sqlite-utils")
    ]
    for runtime in (entry for entry in RUNTIMES if not entry.toolchain):
        found = version_of(runtime)
        remedy = "" if found else runtime.install_line
        lines.append((runtime.title, found or "missing", remedy, found is None and runtime.is_core))
    absent = missing_modules()
    lines += [(name, f"absent: no {extra}", absent[name], False) for name, extra in EXTRA_OF.items() if name in absent]
    return lines


def _toolchains(settings: Settings) -> list[Line]:
    toolchains = toolchains_of(settings)
    lines: list[Line] = []
    for name, entry in TOOLCHAINS.items():
        versions = toolchains.versions(name)
        found = "absent" if versions is None else ", ".join(f"{package} {v}" for package, v in versions.items())
        lines.append((f"toolchain {name}", found, "" if versions else entry.install_line, False))
    return lines


def _people(settings: Settings) -> list[Line]:
    """Return what a person's acceptance and the pictures rest on; the rest works without."""
    ssh = "" if signatures.available() else "install OpenSSH's client (Debian: apt install openssh-client)"
    authority = Authority(settings.state_folder)
    enrolled = f"{authority.tries_left} tries left" if authority.is_enrolled else "nobody: manifests are unsigned"
    drawn, watched = pictures.available(), find_spec("rich") is not None
    return [
        ("ssh-keygen", "missing" if ssh else "there", ssh, False),
        ("enrolled", enrolled, "" if authority.is_enrolled else "edgewright enrol", False),
        ("least level", f"{settings.least_level}: {settings.least_level.meaning}", "", False),
        ("charts", "there" if drawn else "missing", "" if drawn else pictures.INSTALL_LINE, False),
        ("watch (rich)", "there" if watched else "missing", "" if watched else install_line("watch"), False),
    ]


def _machine(settings: Settings) -> list[Line]:
    abi = landlock_abi()
    folder = settings.state_folder
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free_bytes = psutil.disk_usage(str(there)).free
    flags = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace") if Path("/proc/cpuinfo").exists() else ""
    )
    vnni = "yes" if "avx512_vnni" in flags or "avx_vnni" in flags else "no or unknown"
    return [
        ("sandbox", f"Landlock ABI {abi}" if abi else "none", "" if abi else "use Linux >= 5.13 with Landlock", False),
        ("SQLite", sqlite3.sqlite_version, "", False),
        ("processors", f"{len(os.sched_getaffinity(0))}, VNNI: {vnni}", "", False),
        ("memory", f"{psutil.virtual_memory().total / GIB:.1f} GiB", "", False),
        ("disk for state", f"{free_bytes / GIB:.1f} GiB free", "", False),
    ]


def _configuration(settings: Settings) -> list[Line]:
    file = config_file()
    no_roots = "" if settings.roots else "edgewright serve --root FOLDER"
    return [
        ("configuration", str(file) if file.exists() else f"{file} (absent: defaults)", "", False),
        ("state folder", str(settings.state_folder), "--state-folder FOLDER", False),
        ("allowed folders", ", ".join(settings.real_roots) or "none", no_roots, False),
        ("tolerance cap", f"{settings.tolerance_cap:.2%}", "tolerance_cap in the configuration", False),
    ]
