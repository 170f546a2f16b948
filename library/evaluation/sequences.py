"""Scores of answers that are sequences of characters, from pairs of texts."""

from collections.abc import Sequence

import numpy as np


def exact_matches(truth: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """`[texts]` booleans: which answers are right in every character."""
    return np.array([a == b for a, b in zip(truth, answers, strict=True)], dtype=bool)


def per_character(truth: Sequence[str], answers: Sequence[str], length: int) -> float:
    """Share of characters that are right, both texts aligned on the right and filled up with blanks to `length`.

    This is the "accuracy" of most published results; an exact match needs all characters of an answer at once.
    """
    pairs = zip(truth, answers, strict=True)
    right = sum(a == b for pair in pairs for a, b in zip(*(text.rjust(length) for text in pair), strict=True))
    return right / (length * len(truth))
