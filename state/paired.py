"""Two models on the same samples, as it is recorded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paired:
    """A candidate compared with another artifact sample by sample, which leaves out how hard the samples are.

    Attributes:
        reference: SHA-256 of the other artifact.
        difference: Candidate's value minus the other's.
        low: Lower end of the interval of the difference.
        high: Upper end.
        confidence: Of the interval.
        method: How the interval was computed.
        gained: Samples that only the candidate has right, where answers are right or wrong.
        lost: Samples that only the other has right.
        p_value: Of the hypothesis that gains and losses are equally likely (McNemar's exact test).
    """

    reference: str
    difference: float
    low: float
    high: float
    confidence: float
    method: str
    gained: int | None = None
    lost: int | None = None
    p_value: float | None = None
