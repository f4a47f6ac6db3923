"""Where the card of some data comes from: the call, or the file beside the data. The one in the call counts."""

import json
from pathlib import PurePosixPath

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card, parse_card, refuse_card
from edgewright.tools.datasets.entry import Opened, open_file_under_roots
from edgewright.tools.legible import legible
from edgewright.tools.orders import DataSource

CARD_LIMIT_BYTES = 1 << 20
# Data in one file; its card has the same name without them.
TEXTS = (".csv", ".jsonl", ".parquet")
SUFFIXES = (".npz", ".npy", *TEXTS)
MOST_DIFFERENCES = 5


def card_of(source: DataSource, data: Opened, roots: tuple[str, ...], example: str) -> Card:
    """Return the card that came with the call or lies beside the data.

    Args:
        source: Data as the caller names it.
        data: The same, open.
        roots: Folders that the operator allows.
        example: A card that would do, for the refusal.

    Raises:
        Refused: CARD_MISSING, CARD_INVALID, or what the card's own path is refused for.
    """
    if source.card is not None:
        try:
            return parse_card(json.dumps(source.card), "the card in the call")
        except (TypeError, ValueError, RecursionError) as error:
            refuse_card("the card in the call", f"it is not JSON ({legible(str(error))})", example)
    beside = _beside(data)
    try:
        return parse_card(_content(data, roots), f"the data card {legible(beside, 300)}")
    except Refused as refused:
        if refused.refusal.code is not Code.NOT_FOUND:
            raise
        raise Refused.because(
            Code.CARD_MISSING,
            f"the data {legible(data.path, 300)}",
            "nothing says which array feeds which input and how it is prepared: there is no data card in the call and "
            f"none at {legible(beside, 300)}",
            f"write that file, or pass the card in the call; the smallest one is {example}",
            "P9",
            expected_at=legible(beside, 300),
        ) from None


def overruled(source: DataSource, data: Opened, roots: tuple[str, ...], card: Card) -> tuple[str, ...]:
    """Return what to say where the call brought a card and another one lies beside the data."""
    if source.card is None:
        return ()
    shown = legible(_beside(data), 300)
    try:
        other = parse_card(_content(data, roots), shown)
    except Refused as refused:
        if refused.refusal.code is Code.NOT_FOUND:
            return ()
        return (f"the card in the call was used; the one at {shown} cannot be: {refused.refusal.why}",)
    differing = _differences(card.plain, other.plain)
    if not differing:
        return ()
    more = "" if len(differing) <= MOST_DIFFERENCES else f" and {len(differing) - MOST_DIFFERENCES} more"
    said = ", ".join(legible(name, 60) for name in differing[:MOST_DIFFERENCES])
    return (f"the card in the call was used instead of the one at {shown}, which differs in {said}{more}",)


def _differences(one: object, other: object, path: str = "") -> list[str]:
    """Return the fields in which two cards differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [*one, *(name for name in other if name not in one)]
        deeper = [_differences(one.get(name), other.get(name), f"{path}.{name}") for name in names]
        return [field for fields in deeper for field in fields]
    return [] if one == other else [path.removeprefix(".")]


def _beside(data: Opened) -> str:
    stem = PurePosixPath(data.path).with_suffix("") if data.path.endswith(SUFFIXES) else data.path
    return f"{data.path.rstrip('/')}/card.json" if data.is_folder else f"{stem}.card.json"


def _content(data: Opened, roots: tuple[str, ...]) -> bytes:
    opened = data.open_file("card.json") if data.is_folder else open_file_under_roots(_beside(data), roots)
    with opened:
        return opened.read(CARD_LIMIT_BYTES)
