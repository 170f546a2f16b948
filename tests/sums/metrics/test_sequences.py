"""Scores of answers as text."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.sums.metrics import errors

answers = st.lists(st.integers(-99, 198).map(str), min_size=1, max_size=20)


def test_an_exact_match_needs_every_character() -> None:
    matches = errors.exact_matches(["68", "-81", "0", "5"], ["68", "-80", "0", "55"])
    assert matches.tolist() == [True, False, True, False]
    assert matches.dtype == bool


def test_no_text_gives_no_match() -> None:
    assert errors.exact_matches([], []).shape == (0,)


@pytest.mark.parametrize(
    ("truth", "answer", "share"),
    [("68", "68", 1), ("68", "58", 2 / 3), ("-81", "81", 2 / 3), ("5", "55", 2 / 3), ("123", "", 0), ("7", "", 2 / 3)],
)
def test_characters_are_compared_from_the_right(truth: str, answer: str, share: float) -> None:
    assert errors.per_character([truth], [answer], 3) == pytest.approx(share)


def test_the_share_is_that_of_all_characters_of_all_texts() -> None:
    assert errors.per_character(["12", "-5"], ["12", "95"], 3) == pytest.approx(5 / 6)
    assert errors.per_character(["12"], ["13"], 2) == pytest.approx(1 / 2)


@given(answers, st.randoms())
def test_exact_matches_bound_the_share_of_characters(truth: list[str], random: Random) -> None:
    other = random.sample(truth, len(truth))
    share = errors.per_character(truth, other, 3)
    assert errors.exact_matches(truth, other).mean() <= share <= 1
    assert errors.per_character(truth, truth, 3) == 1
    assert errors.exact_matches(truth, truth).all()


def test_an_answer_for_each_truth_is_needed() -> None:
    with pytest.raises(ValueError, match="zip"):
        errors.exact_matches(["1", "2"], ["1"])
    with pytest.raises(ValueError, match="zip"):
        errors.per_character(["1", "2"], ["1"], 3)
