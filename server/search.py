"""The calls that look things up in the notes."""

from edgewright.knowledge.index import Hit
from edgewright.knowledge.library import Library, Question
from edgewright.server import requests
from edgewright.server.replies import Found, Result


def search(library: Library, request: requests.SearchKnowledge | requests.SearchCodeExamples) -> Found:
    """Answer a search.

    Raises:
        Refused: If the query has no word, or the collection is unknown.
    """
    hits = library.search(_question(request))
    summary = f"{len(hits)} note(s)." if hits else _nothing(library, request)
    return Found(status="done", summary=summary, results=[_result(hit) for hit in hits])


def _question(request: requests.SearchKnowledge | requests.SearchCodeExamples) -> Question:
    if isinstance(request, requests.SearchCodeExamples):
        language = request.language.lower() if request.language else None
        return Question(request.query, code=True, language=language, n_results=request.n_results)
    return Question(request.query, request.collection, n_results=request.n_results, min_score=request.min_score)


def _nothing(library: Library, request: requests.SearchKnowledge | requests.SearchCodeExamples) -> str:
    if isinstance(request, requests.SearchCodeExamples):
        return f"Nothing found. There is code in {', '.join(library.languages())}; try other words."
    known = ", ".join(library.collections())
    return f"Nothing scores {request.min_score:g} or more. Collections: {known}; try other words."


def _result(hit: Hit) -> Result:
    # The user's own text arrives as a quotation, also for clients that hand their model the structure only.
    quoted = "\n".join(f"> {line}" for line in hit.content.splitlines())
    return Result(
        content=quoted if hit.untrusted else hit.content,
        score=hit.score,
        source_path=hit.source_path,
        heading_context=hit.heading,
        is_code=bool(hit.language),
        code_language=hit.language,
        retrieval_type="[bm25, untrusted text]" if hit.untrusted else "[bm25]",
        sources=list(hit.sources),
        untrusted=hit.untrusted,
    )
