"""A random split of examples into training, validation and test sets, reproducible by its seed.

A digest names the exact contents, so that models are only compared on equal data.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]
"""Inputs `[n, ...]` and targets `[n, ...]`."""

TEST, VALIDATION = 5, 10  # one example in 5 for the test, one in 10 of the rest for validation


@dataclass(frozen=True)
class Examples:
    """Three disjoint sets of examples."""

    train: Pair
    validation: Pair
    test: Pair

    @property
    def digest(self) -> str:
        """The digest of all sets."""
        return digest([*self.train, *self.validation, *self.test])

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        """The inputs of each set, by the names of a run's datasets."""
        return {"training": self.train[0], "validation": self.validation[0], "testing": self.test[0]}


def split(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Examples:
    """A fifth of the examples for the test, a tenth of the rest for validation, all others for training.

    Inputs and targets are `[n, ...]`; ValueError where they differ in length, or n is below 20.
    """
    if len(x) != len(y) or len(x) < 20:
        raise ValueError(f"split: got {len(x)} and {len(y)} examples; allowed is the same number of both, at least 20")
    order = np.random.default_rng(seed).permutation(len(x))
    test, rest = np.split(order, [len(x) // TEST])
    validation, train = np.split(rest, [len(rest) // VALIDATION])
    return Examples(*((x[part], y[part]) for part in (train, validation, test)))


def digest(arrays: Sequence[np.ndarray]) -> str:
    """Sixteen hexadecimal digits of a hash of the arrays' contents, order and lengths."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.int64(len(array)).tobytes())
        sha.update(array.reshape(-1).data)
    return sha.hexdigest()[:16]
