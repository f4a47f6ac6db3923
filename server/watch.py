"""`edgewright watch RUN`: a run at a glance in a terminal, with live progress. It looks and changes nothing.

Rich draws it. It comes with an extra and not with the core: where the SDK finds it, a server's log becomes wrapped
lines in colour, unless logging is set up first as `edgewright serve` does.
"""

import time
from contextlib import suppress

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from edgewright.server.glance import Glance, Work, glance
from edgewright.server.house import House
from edgewright.server.replies import harmless
from edgewright.state.errors import Refused

LOOK_EVERY_S = 0.5


def watch(house: House, run: str, console: Console | None = None) -> None:
    """Show a run until the person has seen enough (Ctrl-C); once, where the output is no terminal.

    Raises:
        Refused: If there is no such run.
    """
    console = console or Console()
    if not console.is_terminal:
        console.print(frame(seen(house, run)))
        return
    with suppress(KeyboardInterrupt), Live(frame(seen(house, run)), console=console, auto_refresh=False) as live:
        while True:
            live.update(frame(seen(house, run)), refresh=True)
            time.sleep(LOOK_EVERY_S)


def seen(house: House, run: str) -> Glance:
    """Return what there is to see now; work that has ended is settled, as by whoever looks."""
    with house.ledger.read() as look:
        state = look.run(run)
    if state.job is not None:
        with suppress(Refused):  # a full disk, or somebody who writes: the next look tries again
            state = house.jobs.settle(state.job.id) or state
    return glance(house, house.seen(state))


def frame(shown: Glance) -> RenderableType:
    """Return a glance as a terminal shows it."""
    parts: list[RenderableType] = [_line(shown.title, "bold"), _phases(shown)]
    if shown.hold:
        parts.append(Panel(Group(*map(_line, shown.hold)), title="A person decides", border_style="bold yellow"))
    if shown.work:
        parts.append(_work(shown.work))
    if shown.rows:
        parts += [_line(shown.caption), _variants(shown)]
    return Group(*parts, _fields(shown.fields))


def _line(text: str, style: str = "") -> Text:
    return Text(str(harmless(text)), style=style)


def _phases(shown: Glance) -> Text:
    here = {phase: "reverse bold" if phase == shown.phase else "dim" for phase in shown.phases}
    return Text("  ").join(Text(f" {phase} ", style=style) for phase, style in here.items())


def _work(work: Work) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(ratio=1)
    share = f"{work.done / max(work.total, 1):.0%}"
    bar = ProgressBar(total=max(work.total, 1), completed=work.done, width=30)
    grid.add_row(_line(f"{work.call}: {work.message}"), bar, share)
    return grid


def _variants(shown: Glance) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Variant", overflow="fold")
    table.add_column(_line(shown.metric))
    table.add_column("Time", min_width=len("0.42x (0.37 to 0.47)"))
    for head in ("Size", "Verdict", "Status"):
        table.add_column(head, min_width=len("reverted"))
    for row in shown.rows:
        table.add_row(*map(_line, (row.name, row.accuracy, row.time, row.size, row.verdict, row.status)))
    return table


def _fields(fields: dict[str, str]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        grid.add_row(_line(name, "dim"), _line(value))
    return grid
