"""The notation of queries and answers: as text (`" 7-88"`, `"-81"`) and as rows of character ids.

Every registered model has a copy of this file, so that it reads and writes as in its training even after this
repository changed. The file therefore imports nothing but numpy.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

QUERY_LENGTH = 5
_QUERY = re.compile(r" *([0-9]{1,2}) *([-+*]) *([0-9]{1,2}) *")


@dataclass(frozen=True)
class Notation:
    """One way of writing queries and answers: with operators `+-` or `*`, filled up with blanks on one side."""

    operators: str = "+-"
    padding: str = "left"

    @property
    def characters(self) -> str:
        """All characters of a text; a character's id is its index here."""
        return f"0123456789{self.operators} "

    @property
    def answer_length(self) -> int:
        """Three characters for sums and differences (`-99` to `198`), four for products (`0` to `9801`)."""
        return 4 if "*" in self.operators else 3

    def parse(self, query: str) -> tuple[int, str, int]:
        """The operands and the operator of a query: `" 7-88"` is `(7, "-", 88)`; ValueError if it is no query."""
        match = _QUERY.fullmatch(query) if isinstance(query, str) else None
        if match is None or match.group(2) not in self.operators:
            allowed = " or ".join(self.operators)
            raise ValueError(
                f"query: got {query!r}; allowed are two numbers of 0 to 99 with {allowed} between, "
                f"as in '45{self.operators[0]}23'"
            )
        left, operator, right = match.groups()
        return int(left), operator, int(right)

    def write_query(self, left: int, operator: str, right: int) -> str:
        """Five characters: `" 7-88"` when padded on the left, `"7-88 "` on the right."""
        if self.padding == "left":
            return f"{left:>2}{operator}{right:>2}"
        return f"{left}{operator}{right}".ljust(QUERY_LENGTH)

    def write_answer(self, value: int) -> str:
        """Three characters, four of a product: `" -5"` when padded on the left, `"-5 "` on the right."""
        text = str(value)
        return (text.rjust if self.padding == "left" else text.ljust)(self.answer_length)

    def encode(self, texts: Iterable[str]) -> np.ndarray:
        """Character ids, `[texts, length]` int32, of texts of one length."""
        index = {character: i for i, character in enumerate(self.characters)}
        return np.array([[index[character] for character in text] for text in texts], dtype=np.int32)

    def decode(self, ids: np.ndarray) -> list[str]:
        """The texts of `[texts, length]` character ids, without outer blanks."""
        return ["".join(self.characters[i] for i in row).strip() for row in ids]
