"""The reject option (selective classification): when a bundle answers "I don't know".

`judging/selective.py` chooses the threshold on confidence, `models/outliers.py` computes the OOD score.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reject:
    """Reject option: the answer is "I don't know" below a confidence, or above an OOD score."""

    probability: float
    """The lowest confidence that is accepted."""
    strangeness: float | None
    """The highest OOD score that is accepted; None disables it, and then the graph needs no such output."""

    def rejects(self, confidence: float, ood_score: float | None) -> bool:
        """Return True if an image is rejected, given the probability of its predicted class and its OOD score."""
        is_outlier = self.strangeness is not None and ood_score is not None and ood_score > self.strangeness
        return confidence < self.probability or is_outlier
