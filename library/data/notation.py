"""How a query and its answer are written: as text (`" 7-88"`, `"-81"`) and as rows of character ids.

A copy of this file travels inside every registered model, so that a model always reads and writes as it was
trained to, whatever becomes of this repository: it imports nothing but numpy.
"""

import re
from collections.abc import Iterable

import numpy as np

CHARACTERS = "0123456789+- "
QUERY_LENGTH = 5
ANSWER_LENGTH = 3
_QUERY = re.compile(r" *([0-9]{1,2}) *([+-]) *([0-9]{1,2}) *")


def parse(query: str) -> tuple[int, str, int]:
    """The operands and the operator of a query: `" 7-88"` is `(7, "-", 88)`.

    Raises:
        ValueError: the query is not two numbers of at most two digits with + or - between them.
    """
    match = _QUERY.fullmatch(query) if isinstance(query, str) else None
    if match is None:
        raise ValueError(f"query: got {query!r}; allowed are two numbers of 0 to 99 with + or - between, as in '45+23'")
    left, operator, right = match.groups()
    return int(left), operator, int(right)


def write_query(left: int, operator: str, right: int, padding: str = "left") -> str:
    """Five characters: `" 7-88"` when padded on the left, `"7-88 "` on the right."""
    if padding == "left":
        return f"{left:>2}{operator}{right:>2}"
    return f"{left}{operator}{right}".ljust(QUERY_LENGTH)


def write_answer(value: int, padding: str = "left") -> str:
    """Three characters: `" -5"` when padded on the left, `"-5 "` on the right."""
    return str(value).rjust(ANSWER_LENGTH) if padding == "left" else str(value).ljust(ANSWER_LENGTH)


def encode(texts: Iterable[str]) -> np.ndarray:
    """Character ids, `[texts, length]` int32 below 13, of texts of one length."""
    return np.array([[CHARACTERS.index(character) for character in text] for text in texts], dtype=np.int32)


def decode(ids: np.ndarray) -> list[str]:
    """The texts of `[texts, length]` character ids, without the blanks at either end."""
    return ["".join(CHARACTERS[i] for i in row).strip() for row in ids]
