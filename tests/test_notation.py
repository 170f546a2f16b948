"""Queries and answers survive being written, encoded, decoded and read."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.data import notation

numbers = st.integers(0, 99)
operators = st.sampled_from("+-")
paddings = st.sampled_from(["left", "right"])


@pytest.mark.parametrize(
    ("query", "meaning"),
    [
        ("45+23", (45, "+", 23)),
        (" 7-88", (7, "-", 88)),
        ("7-88 ", (7, "-", 88)),
        ("  1 +  2 ", (1, "+", 2)),
        ("00-07", (0, "-", 7)),
        ("99+99", (99, "+", 99)),
    ],
)
def test_parse_reads_numbers_and_operator(query: str, meaning: tuple[int, str, int]) -> None:
    assert notation.parse(query) == meaning


@pytest.mark.parametrize(
    "query",
    [
        *("", " ", "+", "7", "7+", "+7", "1*2", "1/2", "1+2=3", "1.0+2", "1+2+3"),
        *("100+1", "1+100", "001+2", "-1+1", "1--1"),
        *("4 5+1", "1+4 5", "1+2\n", "1\n+2", "\t1+2"),
        *("\uff14\uff15+1", "\u0664+1", "\u00b2+1", "1\uff0b2", "1\u22122"),  # digits and operators beyond ASCII
        *(None, 12, 1.5, b"1+2", ["1+2"], ("1", "+", "2")),
    ],
)
def test_parse_refuses_all_else_in_one_line_that_shows_it(query: Any) -> None:
    with pytest.raises(ValueError, match="allowed are two numbers of 0 to 99") as caught:
        notation.parse(query)
    assert str(caught.value).startswith(f"query: got {query!r}; ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("query", "left", "right"),
    [
        ((7, "-", 88), " 7-88", "7-88 "),
        ((45, "+", 23), "45+23", "45+23"),
        ((0, "+", 0), " 0+ 0", "0+0  "),
        ((12, "-", 3), "12- 3", "12-3 "),
    ],
)
def test_queries_are_padded_on_either_side(query: tuple[int, str, int], left: str, right: str) -> None:
    assert notation.write_query(*query) == notation.write_query(*query, "left") == left
    assert notation.write_query(*query, "right") == right


@pytest.mark.parametrize(
    ("value", "left", "right"),
    [(-81, "-81", "-81"), (-5, " -5", "-5 "), (0, "  0", "0  "), (68, " 68", "68 "), (198, "198", "198")],
)
def test_answers_are_padded_on_either_side(value: int, left: str, right: str) -> None:
    assert notation.write_answer(value) == notation.write_answer(value, "left") == left
    assert notation.write_answer(value, "right") == right


@given(numbers, operators, numbers, paddings)
def test_what_is_written_is_read_back(left: int, operator: str, right: int, padding: str) -> None:
    written = notation.write_query(left, operator, right, padding)
    assert len(written) == notation.QUERY_LENGTH == 5
    assert notation.parse(written) == (left, operator, right)
    [decoded] = notation.decode(notation.encode([written]))
    assert notation.parse(decoded) == (left, operator, right)


@given(st.integers(-99, 198), paddings)
def test_answers_are_three_characters_that_decode_to_the_value(value: int, padding: str) -> None:
    written = notation.write_answer(value, padding)
    assert len(written) == notation.ANSWER_LENGTH == 3
    assert notation.decode(notation.encode([written])) == [str(value)]


def test_ids_follow_the_characters() -> None:
    ids = notation.encode([" 7-88", "45+23"])
    np.testing.assert_array_equal(ids, [[12, 7, 11, 8, 8], [4, 5, 10, 2, 3]])
    assert ids.dtype == np.int32


@given(st.text(notation.CHARACTERS, min_size=1, max_size=9))
def test_decoding_gives_the_text_without_its_outer_blanks(text: str) -> None:
    assert notation.decode(notation.encode([text])) == [text.strip()]


def test_encode_refuses_a_character_without_id() -> None:
    with pytest.raises(ValueError, match="not found"):
        notation.encode(["1*2"])
