"""Errors of answers: kind and size of each, confused characters, and scores by groups of queries.

A single score does not tell why queries are hard: carries, borrows and signs do.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from library.framework.statistics import wilson_interval

KINDS = ("off by one", "off by ten", "sign", "length", "unreadable", "other")
OPERATIONS = {"+": "addition", "-": "subtraction", "*": "multiplication"}
_INTEGER = re.compile(r"-?[0-9]+")


def kinds(truth: Sequence[str], answers: Sequence[str]) -> list[str]:
    """The mistake of each answer, one of `KINDS`, or "" if it is right; truths are integers as `str` writes them.

    The first that applies of: unreadable (no integer: digits with at most a minus before them), sign (right magnitude,
    wrong sign; `-0` too), off by one, off by ten (by exactly that), length (`07` for `7` too), other. ValueError where
    truths and answers differ in number, here and below.
    """
    return [_kind(a, b) for a, b in zip(truth, answers, strict=True)]


def differences(truth: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """`[readable answers]` int64: answer minus truth, 0 for a right number (`07` for `7` too), in order.

    OverflowError where one is beyond 64 bits.
    """
    readable = [int(b) - int(a) for a, b in zip(truth, answers, strict=True) if _INTEGER.fullmatch(b)]
    return np.array(readable, dtype=np.int64)


def confusion(truth: Sequence[str], answers: Sequence[str], characters: str, length: int) -> np.ndarray:
    """`[length, n, n]` int64 counts: position from the left, true character, answered character.

    Args:
        truth: right texts.
        answers: given texts.
        characters: the n different characters that may occur, with the blank if a text is shorter than `length`.
        length: of all texts once padded on the left with blanks.

    Raises:
        ValueError: a text is longer or has another character.
    """
    ids = list[int]()
    for text in (text for pair in zip(truth, answers, strict=True) for text in pair):
        if len(text) > length:
            raise ValueError(f"text: got {text!r} of {len(text)} characters; allowed are at most {length}")
        if unknown := set(text.rjust(length)) - set(characters):
            raise ValueError(f"text: got {text!r} with {min(unknown)!r}; allowed are the characters {characters!r}")
        ids += map(characters.index, text.rjust(length))
    true, given = np.array(ids, dtype=np.intp).reshape(-1, 2, length).swapaxes(0, 1)
    counts = np.zeros((length, len(characters), len(characters)), dtype=np.int64)
    np.add.at(counts, (np.arange(length), true, given), 1)
    return counts


def groups(left: np.ndarray, right: np.ndarray, operator: Sequence[str]) -> dict[str, np.ndarray]:
    """Groups of queries that are hard for the same reason, `[queries]` booleans by name; empty groups are left out.

    An addition carries if its ones sum to ten or more; the number of digits tells whether its tens do. A subtraction
    borrows if its ones do when the smaller number is written below the larger: `21-3` and `3-21` both do. The sign is
    not a digit. Operands `[queries]` are 0 to 99; KeyError for another operator than `+`, `-` and `*`.
    """
    operation = np.array([OPERATIONS[one] for one in operator], dtype=str)
    masks = {name: operation == name for name in OPERATIONS.values()}
    adds, subtracts, multiplies = masks.values()
    carries = left % 10 + right % 10 >= 10
    borrows = np.maximum(left, right) % 10 < np.minimum(left, right) % 10
    values = np.select([adds, subtracts, multiplies], [left + right, left - right, left * right])
    digits = np.strings.str_len(np.abs(values).astype(str))
    masks |= {"carry": adds & carries, "no carry": adds & ~carries}
    masks |= {"borrow": subtracts & borrows, "no borrow": subtracts & ~borrows}
    masks |= {f"{n}-digit answer": digits == n for n in range(1, 5)}
    return {name: mask for name, mask in masks.items() if mask.any()}


def scores_by_group(right: np.ndarray, groups: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    """Exact match of all queries, then of each group, with its 95 % interval.

    Args:
        right: `[queries]` booleans, at least one: which answers are right.
        groups: `[queries]` booleans by name, none of them empty.

    Returns:
        The columns `group` (the first is `all`), `queries`, `exact_match`, `low` and `high`.
    """
    masks = {"all": np.ones(len(right), dtype=bool), **groups}
    counts = [(int(right[mask].sum()), int(mask.sum())) for mask in masks.values()]
    low, high = zip(*(wilson_interval(*count) for count in counts), strict=True)
    return {
        "group": list(masks),
        "queries": [n for _, n in counts],
        "exact_match": [successes / n for successes, n in counts],
        "low": list(low),
        "high": list(high),
    }


def _kind(truth: str, answer: str) -> str:
    if answer == truth:
        return ""
    if not _INTEGER.fullmatch(answer):
        return "unreadable"
    a, b = int(truth), int(answer)
    if abs(a) == abs(b) and truth.startswith("-") != answer.startswith("-"):
        return "sign"
    by_difference = {1: "off by one", 10: "off by ten"}
    return by_difference.get(abs(a - b)) or ("other" if len(truth) == len(answer) else "length")


def exact_matches(truth: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """`[texts]` booleans: which answers are right in every character."""
    return np.array([a == b for a, b in zip(truth, answers, strict=True)], dtype=bool)


def per_character(truth: Sequence[str], answers: Sequence[str], length: int) -> float:
    """Share of right characters, with both texts padded on the left to `length`.

    This is the "accuracy" of most published results; an exact match needs all characters of an answer.
    """
    pairs = zip(truth, answers, strict=True)
    right = sum(a == b for pair in pairs for a, b in zip(*(text.rjust(length) for text in pair), strict=True))
    return right / (length * len(truth))
