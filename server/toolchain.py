"""`edgewright toolchain`: a person installs, lists and removes the environments that frameworks live in."""

import argparse
import shutil
import time
from pathlib import Path

from edgewright.server.house import toolchains_of
from edgewright.server.settings import Settings
from edgewright.tools.toolchains.install import install
from edgewright.tools.toolchains.table import TOOLCHAINS, Toolchains


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `toolchain` with its verbs to the command line."""
    parser = commands.add_parser("toolchain", help="install, list or remove a framework in an environment of its own")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="list them, and what is installed")
    for verb, words in (("install", "make its environment anew"), ("remove", "remove its environment")):
        verbs.add_parser(verb, help=words).add_argument("name", choices=sorted(TOOLCHAINS))
    for verb_parser in verbs.choices.values():  # it may stand behind the verb too
        verb_parser.add_argument("--state-folder", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what the verb says; return the exit status."""
    toolchains = toolchains_of(settings)
    match arguments.verb:
        case "install":
            start = time.monotonic()
            print(f"Installing {arguments.name} into {toolchains.path(arguments.name)} ...", flush=True)
            install(TOOLCHAINS[arguments.name], toolchains)
            print(f"{arguments.name}: {_found(toolchains, arguments.name)}, in {time.monotonic() - start:.0f} s")
        case "remove":
            shutil.rmtree(toolchains.path(arguments.name), ignore_errors=True)
        case _:
            for name, toolchain in TOOLCHAINS.items():
                print(f"{name:<8} {_found(toolchains, name)}\n{'':<8} {toolchain.brings}")
    return 0


def _found(toolchains: Toolchains, name: str) -> str:
    versions = toolchains.versions(name)
    if versions is None:
        return f"missing -> {TOOLCHAINS[name].install_line}"
    return ", ".join(f"{package} {version}" for package, version in versions.items())
