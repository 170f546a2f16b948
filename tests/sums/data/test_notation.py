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


@pytest.mark.parametrize(
    ("notation", "query", "allowed"),
    [
        (SUMS, "12*34", "with + or - between, as in '45+23'"),
        (PRODUCTS, "12+34", "with * between, as in '45*23'"),
        (PRODUCTS, "12-34", "with * between, as in '45*23'"),
    ],
)
def test_an_operator_of_the_other_notation_is_refused(notation: Notation, query: str, allowed: str) -> None:
    with pytest.raises(ValueError, match="query") as caught:
        notation.parse(query)
    assert str(caught.value) == f"query: got {query!r}; allowed are two numbers of 0 to 99 {allowed}"


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
    with pytest.raises(ValueError, match="allowed are two numbers of 0 to 99") as caught:
        notation.parse(query)
    assert str(caught.value).startswith(f"query: got {query!r}; ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("query", "left", "right"),
    [
        *[((7, "-", 88), " 7-88", "7-88 "), ((45, "+", 23), "45+23", "45+23"), ((0, "+", 0), " 0+ 0", "0+0  ")],
        *[((12, "-", 3), "12- 3", "12-3 "), ((1, "*", 20), " 1*20", "1*20 ")],
    ],
)
def test_queries_are_padded_on_either_side(query: tuple[int, str, int], left: str, right: str) -> None:
    assert Notation().write_query(*query) == Notation(padding="left").write_query(*query) == left
    assert Notation(padding="right").write_query(*query) == right


@pytest.mark.parametrize(
    ("operators", "value", "left", "right"),
    [
        *[("+-", -81, "-81", "-81"), ("+-", -5, " -5", "-5 "), ("+-", 0, "  0", "0  "), ("+-", 68, " 68", "68 ")],
        *[("+-", 198, "198", "198"), ("*", 0, "   0", "0   "), ("*", 408, " 408", "408 "), ("*", 9801, "9801", "9801")],
    ],
)
def test_answers_are_padded_on_either_side(operators: str, value: int, left: str, right: str) -> None:
    assert Notation(operators).write_answer(value) == Notation(operators, "left").write_answer(value) == left
    assert Notation(operators, "right").write_answer(value) == right


@given(notations, numbers, numbers, st.data())
def test_what_is_written_is_read_back(notation: Notation, left: int, right: int, data: st.DataObject) -> None:
    operator = data.draw(st.sampled_from(notation.operators))
    written = notation.write_query(left, operator, right)
    assert len(written) == QUERY_LENGTH == 5
    assert notation.parse(written) == (left, operator, right)
    [decoded] = notation.decode(notation.encode([written]))
    assert notation.parse(decoded) == (left, operator, right)


@pytest.mark.parametrize(("operators", "values", "length"), [("+-", range(-99, 199), 3), ("*", range(9802), 4)])
@pytest.mark.parametrize("padding", ["left", "right"])
def test_answers_are_of_one_length_and_decode_to_the_value(
    operators: str, values: range, length: int, padding: str
) -> None:
    notation = Notation(operators, padding)
    written = [notation.write_answer(value) for value in values]
    assert {notation.answer_length, *map(len, written)} == {length}
    assert notation.decode(notation.encode(written)) == [str(value) for value in values]


@pytest.mark.parametrize(
    ("notation", "characters", "texts", "expected"),
    [
        (SUMS, "0123456789+- ", [" 7-88", "45+23"], [[12, 7, 11, 8, 8], [4, 5, 10, 2, 3]]),
        (PRODUCTS, "0123456789* ", [" 7*88", "45*23"], [[11, 7, 10, 8, 8], [4, 5, 10, 2, 3]]),
    ],
)
def test_ids_follow_the_characters(notation: Notation, characters: str, texts: list[str], expected: Any) -> None:
    ids = notation.encode(texts)
    assert (notation.characters, ids.tolist(), ids.dtype) == (characters, expected, np.int32)


@given(notations, st.data())
def test_decoding_gives_the_text_without_its_outer_blanks(notation: Notation, data: st.DataObject) -> None:
    text = data.draw(st.text(notation.characters, min_size=1, max_size=9))
    assert notation.decode(notation.encode([text])) == [text.strip()]


@pytest.mark.parametrize(("notation", "text"), [(SUMS, "1*2"), (PRODUCTS, "1+2"), (PRODUCTS, "-12"), (SUMS, "1x2")])
def test_encode_refuses_a_character_without_id(notation: Notation, text: str) -> None:
    with pytest.raises(KeyError):
        notation.encode([text])


def test_notations_of_equal_fields_are_equal() -> None:
    assert Notation() == Notation("+-", "left") != Notation("+-", "right") != Notation("*", "right")
