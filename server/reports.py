"""The report on a run in its three forms, and the pictures that go with it."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from edgewright.server.answers import legal_next
from edgewright.server.house import House
from edgewright.server.replies import Reply
from edgewright.state.events import Event, SensitivityAnalysed
from edgewright.state.files import write_whole
from edgewright.state.run import Run
from edgewright.tools.package.figures import figures
from edgewright.tools.package.pictures import INSTALL_LINE, Picture, available, draw, draw_data, sensitivity_data
from edgewright.tools.package.report import report

SHOWN = "tradeoff"
"""The one picture that goes into a chat; the others are files, since each costs an assistant's context."""


@dataclass(frozen=True)
class Reported:
    """A report for a client: the reply, and the pictures to show beside it."""

    reply: Reply
    shown: tuple[Picture, ...]


def markdown(run: Run) -> str:
    """Return the report in Markdown."""
    return report(run, datetime.now(UTC).date())


def as_json(run: Run) -> str:
    """Return the report as JSON."""
    return json.dumps(figures(run, datetime.now(UTC).date()), indent=2, ensure_ascii=False) + "\n"


def as_html(house: House, run: Run) -> tuple[str, tuple[Picture, ...]]:
    """Return the report as one HTML page that needs nothing else, and the pictures in it."""
    from edgewright.tools.package.page import page  # renders Markdown, which nothing else here does

    drawn = draw(run, house.store.path, interactive=True)
    return page(f"Edgewright: {run.started.model_name}", markdown(run), drawn), drawn.pictures


def rendered(house: House, name: str, form: str) -> str:
    """Return the report on a run as `markdown`, `json` or `html`.

    Raises:
        Refused: If there is no such run.
    """
    run = _run(house, name)
    if form == "html":
        return as_html(house, run)[0]
    return as_json(run) if form == "json" else markdown(run)


def report_on(house: House, name: str, form: str) -> Reported:
    """Answer the tool `report`.

    Raises:
        Refused: If there is no such run.
    """
    run = _run(house, name)
    numbers: dict[str, object] = {}
    pictures: tuple[Picture, ...] = ()
    if form == "html":
        content, pictures = as_html(house, run)
        numbers["page"] = _written(house, f"{run.id}.html", content.encode())
        text = f"The report lies in {numbers['page']} and opens without a network."
    elif form == "markdown":
        pictures = draw(run, house.store.path).pictures
        text = markdown(run)
    else:
        text = "The report is in detail."
    if pictures:
        numbers["pictures"] = [_written(house, f"{run.id}-{each.name}.png", each.png) for each in pictures]
    reply = Reply(
        status="done",
        run=run.id,
        phase=str(run.phase),
        summary=text,
        numbers=numbers,
        notes=[] if available() else [f"pictures need: {INSTALL_LINE}"],
        next=legal_next(run),
        detail=figures(run, datetime.now(UTC).date()) if form == "json" else {},
    )
    return Reported(reply, tuple(picture for picture in pictures if picture.name == SHOWN))


def pictures_of(run: Run, event: Event) -> tuple[Picture, ...]:
    """Return the pictures that go into a chat with the answer that an event led to: an analysis is better looked at."""
    if not isinstance(event, SensitivityAnalysed):
        return ()
    data = sensitivity_data(replace(run, sensitivities=(event.sensitivity,)))
    return draw_data({"sensitivity": data}).pictures if data else ()


def _run(house: House, name: str) -> Run:
    with house.ledger.read() as look:
        return house.seen(look.run(name))


def _written(house: House, name: str, content: bytes) -> str:
    """Write a file among the reports; return where it lies."""
    folder = house.settings.state_folder / "reports"
    folder.mkdir(exist_ok=True)
    write_whole(folder / name, content)
    return str(folder / name)
