"""What an evaluation found, as a table for people and as JSON for programs."""

from dataclasses import asdict
from importlib.metadata import version

from edgewright.server.evaluation.counted import BYTES_A_TOKEN
from edgewright.server.evaluation.play import Played

COLUMNS = ("scenario", "", "outcome", "calls", "refused", "tokens", "seconds")


def table(results: list[Played], described_bytes: int) -> str:
    """Return the results in lines, and what was not as it must be below them."""
    rows = [COLUMNS, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"!! {result.name}: {finding}" for result in results for finding in result.findings]
    return "\n".join([*lines, "", *_sums(results, described_bytes)])


def _row(result: Played) -> tuple[str, ...]:
    count = result.count
    outcome = f"{result.outcome} {result.code}".strip()
    mark = "!!" if result.findings else "ok"
    return (
        result.name,
        mark,
        outcome,
        str(count.calls),
        str(count.refusals),
        str(count.tokens),
        f"{count.seconds:.1f}",
    )


def _sums(results: list[Played], described_bytes: int) -> list[str]:
    dishonest = [result for result in results if not result.is_honest]
    refused = sum(result.outcome == "refused" for result in dishonest)
    recovered = [result.recovered for result in dishonest if result.recovered is not None]
    honest = [result for result in results if result.is_honest]
    wrong = sum(bool(result.findings) for result in results)
    return [
        f"dishonest: {refused} of {len(dishonest)} refused; advice led back {sum(recovered)} of {len(recovered)} times",
        f"honest: {sum(not result.findings for result in honest)} of {len(honest)} ended as they must",
        f"tool descriptions: {described_bytes // BYTES_A_TOKEN} tokens, paid once a conversation",
        f"{wrong} scenario(s) not as they must be" if wrong else "all as they must be",
    ]


def as_json(results: list[Played], described_bytes: int) -> dict[str, object]:
    """Return everything that was counted."""
    return {
        "edgewright": version("edgewright"),
        "described_bytes": described_bytes,
        "bytes_a_token": BYTES_A_TOKEN,
        "scenarios": [{**asdict(result), "tokens": result.count.tokens} for result in results],
    }
