"""The arithmetic task: all queries of two-digit numbers (20,000 `a+b` and `a-b`, or 10,000 `a*b`), and their splits.

A split depends on its own seed only. Test splits are nested: a test query at 50 % training is one at 25 % and at 10 %
too, so that models of different training fractions can be compared on the queries that all were tested on.
"""

import hashlib
import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from library.sums.config import ArithmeticConfig
from library.sums.data.notation import Notation

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@dataclass(frozen=True)
class Queries:
    """Queries and answers.

    Attributes:
        texts: queries without padding, such as `7-88`.
        answers: such as `-81`.
        x: `[queries, 5]` int32 character ids of the padded queries.
        y: `[queries, 3]` int32 character ids of the padded answers; 4 of products.
        left: `[queries]` left operands, 0 to 99.
        operator: `[queries]` operators.
        right: `[queries]` right operands, 0 to 99.
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

    @property
    def triples(self) -> list[tuple[int, str, int]]:
        """Left operand, operator and right operand of each."""
        return list(zip(self.left.tolist(), self.operator.tolist(), self.right.tolist(), strict=True))


class QuerySplits(NamedTuple):
    """Three disjoint splits of all queries."""

    train: Queries
    validation: Queries
    test: Queries

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ if one query moves or is written differently."""
        sha = hashlib.sha256()
        for queries in self:
            sha.update(np.int64(len(queries)).tobytes() + queries.x.tobytes() + queries.y.tobytes())
        return sha.hexdigest()[:16]


def notation(config: ArithmeticConfig) -> Notation:
    """How queries and answers are written under a config."""
    return Notation(config.operators, config.padding)


def load(config: ArithmeticConfig) -> QuerySplits:
    """All queries, written and split as the config says."""
    which, left, right = np.indices((len(config.operators), 100, 100)).reshape(3, -1)
    groups = mirror_groups(which, left, right) if config.split == "disjoint" else np.arange(len(left))
    indices = split(groups, config.train_fraction, config.validation_fraction, config.split_seed)
    operators = np.array(list(config.operators))[which]
    return QuerySplits(*(_write(notation(config), left[i], operators[i], right[i]) for i in indices))


def mirror_groups(which: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Numbers `[queries]` that are equal for mirror images alone (`a+b` and `b+a`, `a-b` and `b-a`).

    Each query is given by its operator's index, 0 or 1, and its operands, 0 to 99.
    """
    return np.minimum(left, right) * 200 + np.maximum(left, right) * 2 + which


def split(groups: np.ndarray, train_fraction: float, validation_fraction: float, seed: int) -> tuple[np.ndarray, ...]:
    """Indices of the training, validation and test queries; no group is divided, and no split is empty.

    Args:
        groups: `[queries]` integers; queries of one integer stay together.
        train_fraction: share of all queries for training and validation together.
        validation_fraction: share of those for validation.
        seed: of the random order of the groups.
    """
    _, group = np.unique(groups, return_inverse=True)
    rank = np.random.default_rng(seed).permutation(group.max() + 1)[group]
    order = np.argsort(rank, kind="stable")
    starts = np.flatnonzero(np.diff(rank[order])) + 1  # of all groups but the first
    test = np.clip(np.searchsorted(starts, round(train_fraction * len(order))), 1, len(starts) - 1)
    validation = np.clip(np.searchsorted(starts, round((1 - validation_fraction) * starts[test])), 0, test - 1)
    return tuple(np.split(order, starts[[validation, test]]))


def fact_families(queries: Queries, notation: Notation) -> Queries:
    """The queries, then those whose answers follow from them and that are not among them.

    From `a+b=c` follow `b+a` and, unless c is 100 or more, `c-a`, `c-b`, `a-c` and `b-c`; from a difference follow the
    others of the same six; from `a*b` follows `b*a`.
    """
    derived = (one for triple in queries.triples for one in _family(*triple))
    left, operators, right = zip(*dict.fromkeys([*queries.triples, *derived]), strict=True)
    return _write(notation, np.array(left), np.array(operators), np.array(right))


def _family(left: int, sign: str, right: int) -> list[tuple[int, str, int]]:
    if sign == "*":
        return [(right, sign, left)]
    total, one = (left + right, left) if sign == "+" else (max(left, right), min(left, right))
    parts = one, other = one, total - one
    sums = [(one, "+", other), (other, "+", one)]
    if total > 99:
        return sums
    return [*sums, *((total, "-", part) for part in parts), *((part, "-", total) for part in parts)]


def _write(notation: Notation, left: np.ndarray, operators: np.ndarray, right: np.ndarray) -> Queries:
    triples = list(zip(left.tolist(), operators.tolist(), right.tolist(), strict=True))
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
