"""What one writes on paper before an answer: digit by digit, so that each is a function of a few others.

Numbers are written from their ones up, as carrying goes.
"""

import numpy as np

from library.sums.data.notation import Notation
from library.sums.data.queries import OPERATIONS, Queries


def write(left: int, sign: str, right: int) -> str:
    """The working of a query of two numbers from 0 to 99: 14 digits of a product, 4 of a sum or a difference.

    A product `ab*cd`: `b*d`, `b*c`, `a*d`, the sum of the latter two, that sum with the carry of `b*d`, and `a*c`. A
    sum or a difference: the ones and their carry or borrow, the tens and theirs; of a negative difference, its
    complement to 100.
    """
    (a, b), (c, d) = divmod(left, 10), divmod(right, 10)
    if sign == "*":
        cross = b * c + a * d
        numbers = (b * d, 2), (b * c, 2), (a * d, 2), (cross, 3), (cross + b * d // 10, 3), (a * c, 2)
        return "".join(f"{number:0{digits}}"[::-1] for number, digits in numbers)
    operation, written, carry = OPERATIONS[sign], "", 0
    for one, other in ((b, d), (a, c)):
        column = operation(operation(one, other), carry)
        carry = int(not 0 <= column < 10)
        written += f"{column % 10}{carry}"
    return written


def length(notation: Notation) -> int:
    """Digits of every working in a notation."""
    return len(write(0, notation.operators[0], 0))


def written(queries: Queries, notation: Notation) -> np.ndarray:
    """Character ids, `[queries, working + answer length]` int32, in the order of writing: ones of answers first."""
    return np.concatenate([notation.encode(write(*one) for one in queries.triples), queries.y[:, ::-1]], axis=1)


def render(ids: tuple[np.ndarray, ...], _: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A batch of queries and what is written of them, as a network takes it that is given the true characters."""
    x, y = ids
    return {"query": x, "written": y}, y
