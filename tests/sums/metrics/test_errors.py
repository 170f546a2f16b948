"""Exact matches, kinds and sizes of mistakes, confused characters and groups of queries, by examples and laws."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.sums.metrics import errors

CHARACTERS = "0123456789- "
PRODUCTS = [(0, 99, 1), (9, 9, 2), (10, 10, 3), (99, 99, 4)]  # with the number of their digits
integers = st.integers(-99, 9801).map(str)
texts = integers | st.text("0123456789-", max_size=4)
pairs = st.lists(st.tuples(integers, texts), min_size=1, max_size=20)
queries = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.sampled_from("+-*")), min_size=1, max_size=50)


def groups_of(*asked: tuple[int, int, str]) -> dict[str, list[bool]]:
    left, right, operator = zip(*asked, strict=True)
    masks = errors.groups(np.array(left), np.array(right), operator)
    return {name: mask.tolist() for name, mask in masks.items()}


@pytest.mark.parametrize(
    ("truth", "answer", "kind"),
    [
        *[("68", "68", ""), ("-5", "-5", ""), ("0", "0", "")],
        *[("68", answer, "unreadable") for answer in ("", "-", "4-", "--3", "+68", "6 8", " 68", "68\n", "6.8", "٦٨")],
        *[("5", "-5", "sign"), ("-5", "5", "sign"), ("-81", "81", "sign"), ("0", "-0", "sign"), ("7", "-07", "sign")],
        *[("68", "67", "off by one"), ("9", "10", "off by one"), ("0", "-1", "off by one"), ("1", "00", "off by one")],
        *[("68", "78", "off by ten"), ("95", "105", "off by ten"), ("3", "-7", "off by ten")],
        *[("7", "07", "length"), ("-7", "-07", "length"), ("123", "12", "length"), ("12", "-12345", "length")],
        *[("68", "86", "other"), ("68", "66", "other"), ("168", "268", "other"), ("-8", "80", "other")],
    ],
)
def test_a_mistake_is_of_the_first_kind_that_applies(truth: str, answer: str, kind: str) -> None:
    assert errors.kinds([truth], [answer]) == [kind]


@given(pairs)
def test_every_wrong_answer_is_of_one_kind_and_no_right_one_is(pairs: list[tuple[str, str]]) -> None:
    truth, answers = zip(*pairs, strict=True)
    kinds = errors.kinds(truth, answers)
    assert [kind == "" for kind in kinds] == errors.exact_matches(truth, answers).tolist()
    assert {kind for kind in kinds if kind} <= set(errors.KINDS)
    assert len(kinds) - kinds.count("unreadable") == len(errors.differences(truth, answers))


@pytest.mark.parametrize(
    ("truth", "answers", "expected"),
    [
        (["68", "-81", "5", "7", "9801", "0"], ["68", "81", "4-", "07", "9", "-1"], [0, 162, 0, -9792, -1]),
        (["1", "2"], ["", "--"], []),
    ],
)
def test_differences_are_those_of_readable_answers_in_order(truth: Any, answers: Any, expected: list[int]) -> None:
    values = errors.differences(truth, answers)
    assert (values.tolist(), values.dtype) == (expected, np.int64)


@given(st.lists(st.tuples(st.integers(-99, 9801), st.integers(-99, 9801))))
def test_a_difference_is_zero_for_equal_integers_only(pairs: list[tuple[int, int]]) -> None:
    values = errors.differences([str(a) for a, _ in pairs], [str(b) for _, b in pairs])
    assert (values == 0).tolist() == [a == b for a, b in pairs]
    assert (np.array([a for a, _ in pairs], dtype=int) + values).tolist() == [b for _, b in pairs]


def test_the_confusion_counts_characters_at_their_positions() -> None:
    counts = errors.confusion(["12", "1", "2"], ["12", "21", " "], "12 ", 2)
    assert counts.tolist() == [
        [[1, 0, 0], [0, 0, 0], [0, 1, 1]],  # 1 for 1; 2 and a blank for a blank
        [[1, 0, 0], [0, 1, 1], [0, 0, 0]],  # 1 for 1; 2 and a blank for 2
    ]
    assert counts.dtype == np.int64


@given(pairs)
def test_the_confusion_holds_every_character_and_its_diagonal_the_right_ones(pairs: list[tuple[str, str]]) -> None:
    truth, answers = zip(*pairs, strict=True)
    counts = errors.confusion(truth, answers, CHARACTERS, 4)
    assert counts.sum(axis=(1, 2)).tolist() == [len(pairs)] * 4
    share = np.trace(counts, axis1=1, axis2=2).sum() / (4 * len(pairs))
    assert share == pytest.approx(errors.per_character(truth, answers, 4))
    assert (errors.confusion(answers, truth, CHARACTERS, 4) == counts.swapaxes(1, 2)).all()


@given(pairs, st.randoms())
def test_the_confusion_does_not_depend_on_the_order(pairs: list[tuple[str, str]], random: Random) -> None:
    counts = errors.confusion(*zip(*pairs, strict=True), CHARACTERS, 4)
    shuffled = random.sample(pairs, len(pairs))
    assert (errors.confusion(*zip(*shuffled, strict=True), CHARACTERS, 4) == counts).all()


@pytest.mark.parametrize(
    ("truth", "answer", "characters", "message"),
    [
        ("1", "1234", CHARACTERS, "'1234' of 4 characters; allowed are at most 3"),
        ("1234", "1", CHARACTERS, "'1234' of 4 characters; allowed are at most 3"),
        ("123", "1+2", CHARACTERS, "'1\\+2' with '\\+'; allowed are the characters '0123456789- '"),
        ("7", "7", "0123456789", "'7' with ' '; allowed are the characters '0123456789'"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(truth: str, answer: str, characters: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^text: got {message}$"):
        errors.confusion([truth], [answer], characters, 3)


def test_an_answer_for_each_truth_is_needed() -> None:
    others = [(one,) for one in (errors.kinds, errors.differences, errors.exact_matches)]
    for function, *more in (*others, (errors.confusion, CHARACTERS, 3), (errors.per_character, 3)):
        with pytest.raises(ValueError, match="zip"):
            function(["1", "2"], ["1"], *more)


def test_queries_are_grouped_by_what_makes_them_hard() -> None:
    expected = {
        (5, 5, "+"): {"addition", "carry", "2-digit answer"},
        (44, 55, "+"): {"addition", "no carry", "2-digit answer"},
        (90, 20, "+"): {"addition", "no carry", "3-digit answer"},
        (21, 3, "-"): {"subtraction", "borrow", "2-digit answer"},
        (3, 21, "-"): {"subtraction", "borrow", "2-digit answer"},
        (23, 1, "-"): {"subtraction", "no borrow", "2-digit answer"},
        **{(n, m, "*"): {"multiplication", f"{d}-digit answer"} for n, m, d in PRODUCTS},
    }
    masks = groups_of(*expected)
    assert [{name for name, mask in masks.items() if mask[i]} for i in range(len(expected))] == [*expected.values()]


@pytest.mark.parametrize(
    ("left", "right", "name"),
    [
        *[(9, 1, "carry"), (9, 0, "no carry"), (50, 50, "no carry"), (49, 51, "carry")],
        *[(50, 50, "no borrow"), (0, 9, "no borrow"), (10, 9, "borrow"), (9, 10, "borrow"), (88, 7, "no borrow")],
        *[(7, 88, "no borrow"), (8, 17, "borrow"), (90, 99, "no borrow")],
    ],
)
def test_only_the_ones_carry_and_the_smaller_number_is_taken_from_the_larger(left: int, right: int, name: str) -> None:
    names = groups_of((left, right, "+" if "carry" in name else "-")).keys()
    assert names & {"carry", "no carry", "borrow", "no borrow"} == {name}


def test_another_operator_is_refused() -> None:
    with pytest.raises(KeyError, match="/"):
        groups_of((4, 2, "/"))


@given(queries)
def test_groups_divide_the_queries(asked: list[tuple[int, int, str]]) -> None:
    masks = groups_of(*asked)
    assert all(any(mask) for mask in masks.values())

    def together(*names: str) -> list[int]:
        return np.sum([masks.get(name, [False] * len(asked)) for name in names], axis=0).tolist()

    assert together("addition", "subtraction", "multiplication") == [1] * len(asked)
    assert together(*(f"{n}-digit answer" for n in range(1, 5))) == [1] * len(asked)
    assert together("carry", "no carry") == together("addition") == [operator == "+" for *_, operator in asked]
    assert together("borrow", "no borrow") == together("subtraction") == [operator == "-" for *_, operator in asked]


@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from("+-*"))
def test_mirror_images_are_of_the_same_groups(left: int, right: int, operator: str) -> None:
    assert groups_of((left, right, operator)) == groups_of((right, left, operator))


def test_scores_are_those_of_all_queries_and_then_of_each_group() -> None:
    right = np.array([True] * 8 + [False] * 2)
    scores = errors.scores_by_group(right, {"carry": np.arange(10) >= 6, "no carry": np.arange(10) < 6})
    assert scores["group"] == ["all", "carry", "no carry"]
    assert scores["queries"] == [10, 4, 6]
    assert scores["exact_match"] == [0.8, 0.5, 1.0]
    assert scores["low"] == pytest.approx([0.4902, 0.1500, 0.6097], abs=5e-5)
    assert scores["high"] == pytest.approx([0.9433, 0.8500, 1.0], abs=5e-5)
    scores = errors.scores_by_group(np.array([True, False]), {})
    assert [scores[key] for key in ("group", "queries", "exact_match")] == [["all"], [2], [0.5]]


@settings(deadline=None)
@given(queries, st.randoms())
def test_an_interval_holds_its_share(asked: list[tuple[int, int, str]], random: Random) -> None:
    left, other, operator = zip(*asked, strict=True)
    groups = errors.groups(np.array(left), np.array(other), operator)
    right = np.array([random.random() < 0.7 for _ in asked])
    scores = errors.scores_by_group(right, groups)
    assert scores["group"] == ["all", *groups]
    for n, share, low, high in zip(*(scores[key] for key in ("queries", "exact_match", "low", "high")), strict=True):
        assert 0 <= low <= share + 1e-12
        assert share - 1e-12 <= high <= 1
        assert low < high
        assert share * n == pytest.approx(round(share * n))


def test_an_exact_match_needs_every_character() -> None:
    matches = errors.exact_matches(["68", "-81", "0", "5"], ["68", "-80", "0", "55"])
    assert matches.tolist() == [True, False, True, False]
    assert matches.dtype == bool


def test_without_texts_there_is_no_match_and_no_confusion() -> None:
    assert errors.exact_matches([], []).shape == (0,)
    assert errors.confusion([], [], CHARACTERS, 3).tolist() == np.zeros((3, 12, 12)).tolist()


@pytest.mark.parametrize(
    ("truth", "answer", "length", "share"),
    [
        *[
            ("68", "68", 3, 1),
            ("68", "58", 3, 2 / 3),
            ("-81", "81", 3, 2 / 3),
            ("5", "55", 3, 2 / 3),
            ("123", "", 3, 0),
        ],
        *[("7", "", 3, 2 / 3), ("12", "13", 2, 1 / 2), ("12 -5", "12 95", 3, 5 / 6)],
    ],
)
def test_characters_of_all_texts_are_compared_from_the_right(
    truth: str, answer: str, length: int, share: float
) -> None:
    assert errors.per_character(truth.split(" "), answer.split(" "), length) == pytest.approx(share)


@given(st.lists(integers, min_size=1, max_size=20), st.randoms())
def test_exact_matches_bound_the_share_of_characters(truth: list[str], random: Random) -> None:
    other = random.sample(truth, len(truth))
    share = errors.per_character(truth, other, 4)
    assert errors.exact_matches(truth, other).mean() <= share <= 1
    assert errors.per_character(truth, truth, 4) == 1
    assert errors.exact_matches(truth, truth).all()
