"""`edgewright target`: a person enrols, looks at, lists and forgets the machines that may be measured on."""

import argparse
import getpass
import sys
import tempfile
from pathlib import Path

from edgewright.server.settings import Settings
from edgewright.state.artifacts import Device
from edgewright.tools.targets import ssh
from edgewright.tools.targets.check import check as look_at
from edgewright.tools.targets.enrolled import Enrolled, Targets, unknown_target


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """Add `target` with its verbs to the command line; return its parser."""
    parser = commands.add_parser("target", help="enrol, list, check or remove a machine to measure on")
    verbs = parser.add_subparsers(dest="verb", required=True)
    add = verbs.add_parser("add", help="enrol a machine that is reached over SSH")
    add.add_argument("alias", help="what agents will call it")
    add.add_argument("--kind", required=True, choices=[str(device) for device in Device], help="what it is")
    add.add_argument("--host", required=True, help="name or address")
    add.add_argument("--user", default=getpass.getuser(), help="account there; an unprivileged one is enough")
    add.add_argument("--port", type=int, default=22)
    add.add_argument("--identity", type=Path, help="private key file; the SSH agent's keys where it is left out")
    add.add_argument("--python", default="python3", help="interpreter there that has NumPy and a runtime")
    add.add_argument("--lock-clocks", action="store_true", help="hold its clocks while it is measured (sudo there)")
    add.add_argument("--fingerprint", help="SHA256:... of its host key, where you know it: then nothing is asked")
    verbs.add_parser("list", help="list the enrolled machines")
    for verb, words in (("check", "what is there, what is missing"), ("remove", "forget a machine")):
        verbs.add_parser(verb, help=words).add_argument("alias")
    verbs.choices["check"].add_argument(
        "--offline", action="store_true", help="say how to install what is missing where there is no network"
    )
    for verb_parser in verbs.choices.values():  # it may stand behind the verb too
        verb_parser.add_argument("--state-folder", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what the verb says; return the exit status."""
    targets = Targets(settings.state_folder / "targets")
    match arguments.verb:
        case "add":
            return _add(arguments, targets)
        case "check":
            return _check(_named(targets, arguments.alias), offline=arguments.offline)
        case "remove":
            targets.remove(arguments.alias)
            print(f"{arguments.alias} is forgotten; what was measured on it stays.")
            return 0
        case _:
            for target in targets.all():
                print(f"{target.alias:<16} {target.kind:<18} {target.address}")
            return 0


def _add(arguments: argparse.Namespace, targets: Targets) -> int:
    """Enrol a machine, once the person has accepted the key that it shows."""
    host_keys = ssh.scan(arguments.host, arguments.port)
    shown = ssh.fingerprints(host_keys)
    for kind, fingerprint in shown.items():
        print(f"{arguments.host} shows the {kind} key {fingerprint}")
    if not _accepted(arguments.fingerprint, set(shown.values())):
        print("Not enrolled.", file=sys.stderr)
        return 1
    target = targets.add(
        arguments.alias,
        Device(arguments.kind),
        host=arguments.host,
        user=arguments.user,
        port=arguments.port,
        identity=str(arguments.identity.expanduser().resolve()) if arguments.identity else "",
        python=arguments.python,
        host_keys=host_keys,
        lock_clocks=arguments.lock_clocks,
    )
    print(f"{target.alias} is enrolled as {target.kind}. Agents may name it as `target` from now on.")
    return _check(target, offline=False)


def _accepted(expected: str | None, shown: set[str]) -> bool:
    if expected is not None:
        return expected in shown
    if not sys.stdin.isatty():
        print("Nobody is there to compare it: run this in a terminal, or give --fingerprint.", file=sys.stderr)
        return False
    print("Compare it on the machine itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    return input("Is it the same? Type yes: ").strip() == "yes"


def _check(target: Enrolled, *, offline: bool) -> int:
    """Print what is on a machine; return 1 where something is missing."""
    with tempfile.TemporaryDirectory() as folder:
        lines = look_at(target, Path(folder), offline=offline)
    width = max(len(line.item) for line in lines)
    for line in lines:
        print(f"{line.item:<{width}}  {line.found}")
        for remedy in line.remedy.splitlines():
            print(f"{'':<{width}}  -> {remedy}")
    return 1 if any(line.remedy for line in lines) else 0


def _named(targets: Targets, alias: str) -> Enrolled:
    target = targets.named(alias)
    if target is None:
        raise unknown_target(alias, [known.alias for known in targets.all()])
    return target
