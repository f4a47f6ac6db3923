"""The command line. Every command is a thin skin over what the server uses."""

import argparse
import logging
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from edgewright.server.clients import CLIENTS, snippet
from edgewright.server.settings import Settings, config_file
from edgewright.server.target import add_parser as target_parser
from edgewright.server.toolchain import add_parser as toolchain_parser
from edgewright.state.artifacts import Device
from edgewright.state.errors import EdgewrightError
from edgewright.state.waivers import KINDS

Command = Callable[[argparse.Namespace], int]


def main() -> None:
    """Run the command that the arguments name; say in one line what is wrong with the configuration or the state."""
    arguments = _parser().parse_args()
    try:
        sys.exit(COMMANDS[arguments.command](arguments))
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        sys.exit(f"edgewright: the configuration ({config_file()}) is refused: {'; '.join(problems)}")
    except EdgewrightError as error:
        sys.exit(f"edgewright: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edgewright", description="Evidence or no step.")
    parser.add_argument("--version", action="version", version=version("edgewright"))
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="serve MCP over stdio, or over HTTP on loopback")
    serve.add_argument("--http", action="store_true", help="streamable HTTP on 127.0.0.1 instead of stdio")
    serve.add_argument("--port", type=int, default=8931, help="port for --http")

    demo = commands.add_parser("demo", help="walk a real model through the whole workflow")
    demo.add_argument(
        "--device", choices=("cpu-generic", "raspberry-pi-5"), default="cpu-generic", help="what the model is made for"
    )
    demo.add_argument("--record", type=Path, help="also write the transcript, as Markdown, to this file")

    commands.add_parser("doctor", help="what is installed, what is missing, and the line that installs it")
    target_parser(commands)
    toolchain_parser(commands)
    commands.add_parser("runs", help="list the runs")
    state = commands.add_parser("state", help="show where a run stands")
    state.add_argument("run")
    watching = commands.add_parser("watch", help="a run at a glance in this terminal, with live progress")
    watching.add_argument("run")
    report = commands.add_parser("report", help="the report on a run: Markdown, JSON, or one HTML file")
    report.add_argument("run")
    report.add_argument("--format", choices=["markdown", "json", "html"], default="markdown")
    report.add_argument("--output", type=Path, help="write it to this file")
    _add_approval(commands)
    _add_verify(commands)
    evaluation = commands.add_parser("eval", help="put agents to the test: scenarios, honest and dishonest")
    evaluation.add_argument("suite", nargs="*", help="honest, dishonest, or the path of a suite file (both)")
    evaluation.add_argument("--agent", default="follower", help="who gets the honest tasks: package.module:function")
    evaluation.add_argument("--quick", action="store_true", help="leave out the slow scenarios")
    evaluation.add_argument("--record", type=Path, help="also write the results, as JSON, to this file")

    knowledge = commands.add_parser("knowledge", help="notes of your own for search_knowledge")
    knowledge.add_argument("action", choices=["add"], help="index a folder of Markdown, text and PDF files")
    knowledge.add_argument("folder", type=Path)
    knowledge.add_argument("--collection", default="own", help="name that searches can be limited to (own)")
    config = commands.add_parser("client-config", help="print the snippet for a client's configuration")
    config.add_argument("client", choices=sorted(CLIENTS))

    for command in (serve, config):
        command.add_argument(
            "--root", type=Path, action="append", default=[], help="folder that models may be read from"
        )
    for name, command in commands.choices.items():
        if name in {"client-config", "verify", "eval"}:
            continue
        command.add_argument("--state-folder", type=Path, help="where ledger, files and packages lie")
    return parser


def _add_approval(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    commands.add_parser("enrol", help="set the passphrase and make the keys that acceptances and manifests rest on")
    approve = commands.add_parser("approve", help="accept, as a person, what is refused on a run")
    approve.add_argument("run")
    approve.add_argument("--kind", choices=KINDS, default="", help="what to accept")
    approve.add_argument("--hours", type=float, default=24, help="how long it is good, a week at most")
    way = approve.add_mutually_exclusive_group()
    way.add_argument("--page", action="store_true", help="on a page on loopback instead of this terminal")
    way.add_argument("--draft", type=Path, help="write a statement to this file, to be signed elsewhere (L3)")
    way.add_argument("--signed", type=Path, help="read the statement in this file, and its signature beside it as .sig")
    approve.add_argument("--name", help="who accepts; with --draft as the list of allowed signers calls him")
    approve.add_argument("--reason", help="why")


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    verify = commands.add_parser("verify", help="check a package in all its parts, by running it too")
    verify.add_argument("package", type=Path)
    verify.add_argument("--allowed-signers", type=Path, help="the pinned keys; without them: integrity only")
    verify.add_argument("--least-level", choices=["L1", "L2", "L3"], help="lowest level at which an acceptance counts")


def _settings(arguments: argparse.Namespace) -> Settings:
    """Return the operator's settings with what the command line overrides."""
    given: dict[str, Any] = {}  # pydantic checks each value against its field
    if arguments.state_folder:
        given["state_folder"] = arguments.state_folder
    if roots := getattr(arguments, "root", []):
        given["roots"] = tuple(root.expanduser().resolve() for root in roots)
    return Settings(**given)


def serve(arguments: argparse.Namespace) -> int:
    """Serve until the client hangs up."""
    from edgewright.server.app import build_server

    # Ours first: the SDK would otherwise set up whatever it finds installed, down to wrapped lines in colour.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    settings = _settings(arguments)
    server = build_server(settings)
    if not arguments.http:
        server.run("stdio")
        return 0
    from edgewright.server.http import LOOPBACK, serve_http, token_of

    token = token_of(settings.state_folder)
    where = settings.state_folder / "http-token"
    print(f"http://{LOOPBACK}:{arguments.port}/mcp  (bearer token in {where})", file=sys.stderr)
    serve_http(server, arguments.port, token)
    return 0


def demo(arguments: argparse.Namespace) -> int:
    """Walk the demo."""
    from edgewright.server.demo.walk import walk

    return walk(arguments.state_folder, arguments.record, Device(arguments.device))


def doctor(arguments: argparse.Namespace) -> int:
    """Print what is there and what is not."""
    from edgewright.server.doctor import report

    return report(_settings(arguments))


def target(arguments: argparse.Namespace) -> int:
    """Enrol, list, check or remove a machine to measure on."""
    from edgewright.server.target import run

    return run(arguments, _settings(arguments))


def toolchain(arguments: argparse.Namespace) -> int:
    """Install, list or remove a framework in an environment of its own."""
    from edgewright.server.toolchain import run

    return run(arguments, _settings(arguments))


def runs(arguments: argparse.Namespace) -> int:
    """Print the runs, the newest first."""
    from edgewright.server.house import House

    with House.open(_settings(arguments)).ledger.read() as look:
        for name in look.runs():
            run = look.run(name)
            print(f"{name}  {run.phase:<9}  {run.started.target_device:<16}  {run.started.model_name}")
    return 0


def state(arguments: argparse.Namespace) -> int:
    """Print the state block of a run."""
    from edgewright.server import state_block
    from edgewright.server.house import House
    from edgewright.state.errors import Refused

    house = House.open(_settings(arguments))
    try:
        with house.ledger.read() as look:
            print(state_block.text(house.seen(look.run(arguments.run))))
    except Refused as refused:
        print(refused.refusal.sentence, file=sys.stderr)
        return 1
    return 0


def watch(arguments: argparse.Namespace) -> int:
    """Show a run while it moves."""
    from edgewright.server.house import House
    from edgewright.state.errors import Refused
    from edgewright.tools.extras import install_line

    if find_spec("rich") is None:
        raise EdgewrightError(f"watching needs rich, which is not installed: {install_line('watch')}")
    from edgewright.server.watch import watch

    try:
        watch(House.open(_settings(arguments)), arguments.run)
    except Refused as refused:
        print(refused.refusal.sentence, file=sys.stderr)
        return 1
    return 0


def enrol(arguments: argparse.Namespace) -> int:
    """Let a person enrol."""
    from edgewright.server.approve import enrol

    return enrol(_settings(arguments))


def approve(arguments: argparse.Namespace) -> int:
    """Let a person accept."""
    from edgewright.server.approve import approve

    return approve(_settings(arguments), arguments)


def verify(arguments: argparse.Namespace) -> int:
    """Check a package; say what is wrong with it and return 1 where something is."""
    from edgewright.state.policy import Level
    from edgewright.tools.package.contents import Unsound
    from edgewright.tools.package.verification import verify_package

    least = Level(arguments.least_level) if arguments.least_level else None
    try:
        found = verify_package(arguments.package.resolve(), arguments.allowed_signers, least)
    except Unsound as unsound:
        print(f"NOT VERIFIED: {unsound}", file=sys.stderr)
        return 1
    print(f"VERIFIED: signed by {found.signer}" if found.signer else "INTEGRITY ONLY: nobody's word stands behind it")
    for finding in found.findings:
        print(f"  {finding}")
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Print the report on a run, or write it to a file."""
    from edgewright.server import reports
    from edgewright.server.house import House
    from edgewright.state.errors import Refused

    try:
        text = reports.rendered(House.open(_settings(arguments)), arguments.run, arguments.format)
    except Refused as refused:
        print(refused.refusal.sentence, file=sys.stderr)
        return 1
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    """Play suites of scenarios."""
    from edgewright.server.evaluation.run import evaluate

    return evaluate(tuple(arguments.suite), agent=arguments.agent, quick=arguments.quick, record=arguments.record)


def knowledge(arguments: argparse.Namespace) -> int:
    """Index a folder of the user's own notes; what the collection held before is replaced."""
    from edgewright.knowledge import own

    shelf = _settings(arguments).state_folder / "knowledge"
    added = own.add(arguments.folder.expanduser(), shelf, arguments.collection)
    for name, why in added.skipped.items():
        print(f"left out {name}: {why}", file=sys.stderr)
    print(f"{added.files} file(s), {added.passages} passage(s) in the collection {arguments.collection!r}.")
    print("search_knowledge finds them, marked as untrusted text.")
    return 0 if added.files else 1


def client_config(arguments: argparse.Namespace) -> int:
    """Print a client's snippet."""
    roots = arguments.root or [Path.cwd()]
    where, text = snippet(arguments.client, [root.expanduser().resolve() for root in roots])
    print(f"{where}:", file=sys.stderr)
    print(text)
    return 0


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "serve": serve,
        "demo": demo,
        "doctor": doctor,
        "target": target,
        "toolchain": toolchain,
        "runs": runs,
        "state": state,
        "watch": watch,
        "enrol": enrol,
        "approve": approve,
        "verify": verify,
        "report": report,
        "eval": evaluate,
        "knowledge": knowledge,
        "client-config": client_config,
    }
)
