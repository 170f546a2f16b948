"""Examples in three parts: to learn from, to choose by, to score once; drawn by lot, and always alike."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]
"""What is given, `[n, ...]`, and what is asked for, `[n, ...]`."""

_TEST, _VALIDATION = 5, 10  # one example in so many tests, and one in so many of the rest validates


@dataclass(frozen=True)
class Examples:
    """Three disjoint sets of examples."""

    train: Pair
    validation: Pair
    test: Pair

    @property
    def digest(self) -> str:
        """Names the exact contents of all parts."""
        return digest([*self.train, *self.validation, *self.test])

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        """What is given in each part, as a run's datasets are named."""
        return {"training": self.train[0], "validation": self.validation[0], "testing": self.test[0]}


def split(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Examples:
    """A fifth of the examples to test, a tenth of the rest to validate, all others to train.

    Args:
        x: `[n, ...]`, n at least 20.
        y: `[n, ...]`.
        seed: draws which.

    Raises:
        ValueError: x and y differ in number, or are too few.
    """
    if len(x) != len(y) or len(x) < 20:
        raise ValueError(f"split: got {len(x)} and {len(y)} examples; allowed is the same number of both, at least 20")
    order = np.random.default_rng(seed).permutation(len(x))
    test, rest = np.split(order, [len(x) // _TEST])
    validation, train = np.split(rest, [len(rest) // _VALIDATION])
    return Examples(*((x[part], y[part]) for part in (train, validation, test)))


def digest(arrays: Sequence[np.ndarray]) -> str:
    """Sixteen hexadecimal digits of the contents of each array, their order, and where one array ends."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.int64(len(array)).tobytes())
        sha.update(array.reshape(-1).data)
    return sha.hexdigest()[:16]
