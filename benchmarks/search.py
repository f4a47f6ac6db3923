"""How well the notes answer: `python benchmarks/search.py [ROUNDS]` prints recall@3, MRR and query time.

The questions are those of `tests/knowledge/questions.toml`, written before the notes.
"""

import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from edgewright.knowledge.library import Library, Question

QUESTIONS = Path(__file__).parent.parent / "tests" / "knowledge" / "questions.toml"
FIRST = 3


@dataclass(frozen=True)
class Answered:
    """One question, the place of the first note that answers it (0 where none of ten does), and the time it took."""

    asked: str
    place: int
    taken_ms: float


def ask_all(library: Library) -> list[Answered]:
    """Ask every question once."""
    return [_ask(library, question) for question in tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["question"]]


def _ask(library: Library, question: dict[str, object]) -> Answered:
    code = question.get("tool") == "search_code_examples"
    began = time.perf_counter()
    hits = library.search(Question(str(question["asked"]), n_results=10, code=code, min_score=0.0))
    taken_ms = (time.perf_counter() - began) * 1000
    wanted = question["answered_by"]
    assert isinstance(wanted, list)
    places = (n for n, hit in enumerate(hits, start=1) if Path(hit.source_path).stem in wanted)
    return Answered(str(question["asked"]), next(places, 0), taken_ms)


def recall(answers: list[Answered]) -> float:
    """Return the share of the questions that one of the first three results answers."""
    return sum(0 < answer.place <= FIRST for answer in answers) / len(answers)


def mean_reciprocal_rank(answers: list[Answered]) -> float:
    """Return the mean of one over the place of the first answer."""
    return sum(1 / answer.place for answer in answers if answer.place) / len(answers)


if __name__ == "__main__":
    library = Library()
    answers = ask_all(library)
    times = [
        answer.taken_ms for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 20) for answer in ask_all(library)
    ]
    for answer in answers:
        if not 0 < answer.place <= FIRST:
            print(f"missed (place {answer.place or 'beyond 10'}): {answer.asked}")
    print(f"recall@3 {recall(answers):.3f}, MRR {mean_reciprocal_rank(answers):.3f}, {len(answers)} questions")
    print(f"query: median {median(times):.2f} ms, P95 {quantiles(times, n=20)[-1]:.2f} ms, n={len(times)}")
