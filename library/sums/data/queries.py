"""The arithmetic task: all queries of two-digit numbers (20,000 `a+b` and `a-b`, or 10,000 `a*b`), and their splits.

A split depends on its own seed and on nothing else. Test sets are nested: what is a test query at 50 % training
is one at 25 % and at 10 % too, so that models of different training fractions can be compared on common ground.
"""

import hashlib
import operator
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from library.sums.config import ArithmeticConfig
from library.sums.data.notation import Notation

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@dataclass(frozen=True)
class Queries:
    """Queries and answers, as text without padding blanks and as the ids a network reads and writes.

    Attributes:
        texts: queries as a person writes them, such as `7-88`.
        answers: their answers, such as `-81`.
        x: `[queries, 5]` int32 character ids of the queries.
        y: `[queries, 3]` int32 character ids of the answers; 4 of products.
        left: `[queries]` the left operand of each, 0 to 99.
        operator: `[queries]` its operator.
        right: `[queries]` its right operand.
    """

    texts: tuple[str, ...]
    answers: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    left: np.ndarray
    operator: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Splits:
    """Three disjoint parts of all queries; `digest` names their exact contents."""

    train: Queries
    validation: Queries
    test: Queries

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ as soon as one query sits elsewhere or is written otherwise."""
        sha = hashlib.sha256()
        for part in fields(self):
            queries: Queries = getattr(self, part.name)
            sha.update(np.int64(len(queries)).tobytes() + queries.x.tobytes() + queries.y.tobytes())
        return sha.hexdigest()[:16]


def notation(config: ArithmeticConfig) -> Notation:
    """How a config has its queries and answers written."""
    return Notation(config.operators, config.padding)


@lru_cache(maxsize=2)
def load(config: ArithmeticConfig) -> Splits:
    """All queries, written and split as the config says; kept for the next call."""
    which, left, right = np.indices((len(config.operators), 100, 100)).reshape(3, -1)
    groups = mirror_groups(which, left, right) if config.split == "disjoint" else np.arange(len(left))
    parts = split(groups, config.train_fraction, config.validation_fraction, config.split_seed)
    operators = np.array(list(config.operators))[which]
    return Splits(*(_write(notation(config), left[i], operators[i], right[i]) for i in parts))


def mirror_groups(which: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """A number for each query that it shares with its mirror image (`a+b` with `b+a`, `a-b` with `b-a`).

    Args:
        which: `[queries]` number of the operator.
        left: `[queries]` left operands, 0 to 99.
        right: `[queries]` right operands.
    """
    return np.minimum(left, right) * 200 + np.maximum(left, right) * 2 + which


def split(groups: np.ndarray, train_fraction: float, validation_fraction: float, seed: int) -> tuple[np.ndarray, ...]:
    """Indices of the training, validation and test queries; whole groups stay on one side, and no side is empty.

    Args:
        groups: `[queries]` a number each; queries of equal number are kept together.
        train_fraction: share of all queries, validation included, that are not test queries.
        validation_fraction: share of those that are held out from training.
        seed: draws the order of the groups.
    """
    _, group = np.unique(groups, return_inverse=True)
    rank = np.random.default_rng(seed).permutation(group.max() + 1)[group]
    order = np.argsort(rank, kind="stable")
    starts = np.flatnonzero(np.diff(rank[order])) + 1  # where a group begins, but for the first
    test = np.clip(np.searchsorted(starts, round(train_fraction * len(order))), 1, len(starts) - 1)
    validation = np.clip(np.searchsorted(starts, round((1 - validation_fraction) * starts[test])), 0, test - 1)
    return tuple(np.split(order, starts[[validation, test]]))


def _write(notation: Notation, left: np.ndarray, operators: np.ndarray, right: np.ndarray) -> Queries:
    triples = list(zip(map(int, left), map(str, operators), map(int, right), strict=True))
    values = [OPERATIONS[sign](a, b) for a, sign, b in triples]
    return Queries(
        texts=tuple(f"{a}{sign}{b}" for a, sign, b in triples),
        answers=tuple(map(str, values)),
        x=notation.encode(notation.write_query(*triple) for triple in triples),
        y=notation.encode(notation.write_answer(value) for value in values),
        left=left,
        operator=operators,
        right=right,
    )
