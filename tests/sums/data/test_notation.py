"""Queries and answers survive being written, encoded, decoded and read."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.sums.data.notation import QUERY_LENGTH, Notation

SUMS, PRODUCTS = Notation(), Notation("*")
numbers = st.integers(0, 99)
notations = st.builds(Notation, st.sampled_from(["+-", "*"]), st.sampled_from(["left", "right"]))


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        *[("45+23", (45, "+", 23)), (" 7-88", (7, "-", 88)), ("7-88 ", (7, "-", 88)), ("  1 +  2 ", (1, "+", 2))],
        *[("00-07", (0, "-", 7)), ("99+99", (99, "+", 99))],
        *[("12*34", (12, "*", 34)), (" 7* 8", (7, "*", 8)), ("0*0  ", (0, "*", 0))],
    ],
)
def test_parse_reads_numbers_and_operator(query: str, meaning: tuple[int, str, int]) -> None:
    assert (PRODUCTS if "*" in query else SUMS).parse(query) == meaning


@pytest.mark.parametrize("notation", [SUMS, PRODUCTS])
@pytest.mark.parametrize(
    "query",
    [
        *("", " ", "+", "*", "7", "7+", "+7", "7*", "1/2", "1**2", "1+2=3", "1*2=2", "1.0+2", "1+2+3", "1*2*3"),
        *("100+1", "1+100", "001+2", "100*1", "1*001", "-1+1", "1--1", "-1*1"),
        *("4 5+1", "1+4 5", "1+2\n", "1\n+2", "\t1+2", "1 *2\n"),
        *("\uff14\uff15+1", "\u0664+1", "\u00b2*1", "1\uff0b2", "1\u22122", "1\u00d72"),  # beyond ASCII
        *(None, 12, 1.5, b"1+2", b"1*2", ["1+2"], ("1", "*", "2")),
    ],
)
def test_parse_refuses_all_else_in_one_line_that_shows_it(notation: Notation, query: Any) -> None:
    allowed = "with + or - between, as in '45+23'" if notation is SUMS else "with * between, as in '45*23'"
    for asked in (query, "12*34" if notation is SUMS else "12+34"):  # an operator of the other notation
        with pytest.raises(ValueError, match="query") as caught:
            notation.parse(asked)
        assert str(caught.value) == f"query: got {asked!r}; allowed are two numbers of 0 to 99 {allowed}"


def test_queries_and_answers_are_padded_on_either_side() -> None:
    for query, left, right in (
        *(((7, "-", 88), " 7-88", "7-88 "), ((45, "+", 23), "45+23", "45+23"), ((0, "+", 0), " 0+ 0", "0+0  ")),
        *(((12, "-", 3), "12- 3", "12-3 "), ((1, "*", 20), " 1*20", "1*20 ")),
    ):
        assert Notation().write_query(*query) == Notation(padding="left").write_query(*query) == left
        assert Notation(padding="right").write_query(*query) == right
    for operators, value, left, right in (
        *(("+-", -81, "-81", "-81"), ("+-", -5, " -5", "-5 "), ("+-", 0, "  0", "0  "), ("+-", 68, " 68", "68 ")),
        *(("+-", 198, "198", "198"), ("*", 0, "   0", "0   "), ("*", 408, " 408", "408 "), ("*", 9801, "9801", "9801")),
    ):
        assert Notation(operators).write_answer(value) == Notation(operators, "left").write_answer(value) == left
        assert Notation(operators, "right").write_answer(value) == right


@given(notations, numbers, numbers, st.data())
def test_what_is_written_is_read_back_without_outer_blanks(
    notation: Notation, left: int, right: int, data: st.DataObject
) -> None:
    operator = data.draw(st.sampled_from(notation.operators))
    written = notation.write_query(left, operator, right)
    assert len(written) == QUERY_LENGTH == 5
    assert notation.parse(written) == (left, operator, right)
    text = data.draw(st.text(notation.characters, min_size=1, max_size=5))
    texts = [written, f"{text:5}"]
    assert notation.decode(notation.encode(texts)) == [text.strip() for text in texts]


@pytest.mark.parametrize(("operators", "values", "length"), [("+-", range(-99, 199), 3), ("*", range(9802), 4)])
@pytest.mark.parametrize("padding", ["left", "right"])
def test_answers_are_of_one_length_and_decode_to_the_value(
    operators: str, values: range, length: int, padding: str
) -> None:
    notation = Notation(operators, padding)
    written = [notation.write_answer(value) for value in values]
    assert {notation.answer_length, *map(len, written)} == {length}
    assert notation.decode(notation.encode(written)) == [str(value) for value in values]


def test_ids_follow_the_characters_and_a_character_without_one_is_refused() -> None:
    for notation, characters, texts, expected in (
        (SUMS, "0123456789+- ", [" 7-88", "45+23"], [[12, 7, 11, 8, 8], [4, 5, 10, 2, 3]]),
        (PRODUCTS, "0123456789* ", [" 7*88", "45*23"], [[11, 7, 10, 8, 8], [4, 5, 10, 2, 3]]),
    ):
        ids = notation.encode(texts)
        assert (notation.characters, ids.tolist(), ids.dtype) == (characters, expected, np.int32)
    for notation, text in ((SUMS, "1*2"), (PRODUCTS, "1+2"), (PRODUCTS, "-12"), (SUMS, "1x2")):
        with pytest.raises(KeyError):
            notation.encode([text])
    assert Notation() == Notation("+-", "left") != Notation("+-", "right") != Notation("*", "right")
