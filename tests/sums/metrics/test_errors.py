"""Exact matches, kinds and sizes of mistakes, confused characters and groups of queries, by examples and laws."""

from random import Random

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


@given(st.lists(st.tuples(st.integers(-99, 9801), st.integers(-99, 9801))))
def test_differences_are_those_of_readable_answers_in_order(pairs: list[tuple[int, int]]) -> None:
    values = errors.differences([str(a) for a, _ in pairs], [str(b) for _, b in pairs])
    assert (values.tolist(), values.dtype) == ([b - a for a, b in pairs], np.int64)
    values = errors.differences(["68", "5", "7", "9801", "1", "2"], ["68", "4-", "07", "9", "", "--"])
    assert (values.tolist(), values.dtype) == ([0, 0, -9792], np.int64)


def test_the_confusion_counts_characters_at_their_positions() -> None:
    counts = errors.confusion(["12", "1", "2"], ["12", "21", " "], "12 ", 2)
    assert counts.tolist() == [
        [[1, 0, 0], [0, 0, 0], [0, 1, 1]],  # 1 for 1; 2 and a blank for a blank
        [[1, 0, 0], [0, 1, 1], [0, 0, 0]],  # 1 for 1; 2 and a blank for 2
    ]
    assert counts.dtype == np.int64


@given(pairs, st.randoms())
def test_measures_agree_on_what_is_right_and_the_confusion_heeds_no_order(
    pairs: list[tuple[str, str]], random: Random
) -> None:
    truth, answers = zip(*pairs, strict=True)
    kinds, matches = errors.kinds(truth, answers), errors.exact_matches(truth, answers)
    assert [kind == "" for kind in kinds] == matches.tolist()
    assert set(kinds) <= {"", *errors.KINDS}
    assert len(kinds) - kinds.count("unreadable") == len(errors.differences(truth, answers))
    counts = errors.confusion(truth, answers, CHARACTERS, 4)
    assert counts.sum(axis=(1, 2)).tolist() == [len(pairs)] * 4
    share = errors.per_character(truth, answers, 4)
    assert matches.mean() <= share <= 1
    assert share == pytest.approx(np.trace(counts, axis1=1, axis2=2).sum() / (4 * len(pairs)))
    assert (errors.confusion(answers, truth, CHARACTERS, 4) == counts.swapaxes(1, 2)).all()
    shuffled = zip(*random.sample(pairs, len(pairs)), strict=True)
    assert (errors.confusion(*shuffled, CHARACTERS, 4) == counts).all()


def test_a_text_that_does_not_fit_and_a_truth_without_an_answer_are_refused() -> None:
    for truth, answer, characters, message in (
        ("1", "1234", CHARACTERS, "'1234' of 4 characters; allowed are at most 3"),
        ("1234", "1", CHARACTERS, "'1234' of 4 characters; allowed are at most 3"),
        ("123", "1+2", CHARACTERS, "'1\\+2' with '\\+'; allowed are the characters '0123456789- '"),
        ("7", "7", "0123456789", "'7' with ' '; allowed are the characters '0123456789'"),
    ):
        with pytest.raises(ValueError, match=f"^text: got {message}$"):
            errors.confusion([truth], [answer], characters, 3)
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
    # Only the ones carry, and the smaller number is taken from the larger.
    for name, asked in {
        "carry": [(9, 1), (49, 51)],
        "no carry": [(9, 0), (50, 50)],
        "borrow": [(10, 9), (9, 10), (8, 17)],
        "no borrow": [(50, 50), (0, 9), (88, 7), (7, 88), (90, 99)],
    }.items():
        masks = groups_of(*((left, right, "+" if "carry" in name else "-") for left, right in asked))
        assert masks.keys() & {"carry", "no carry", "borrow", "no borrow"} == {name}
    with pytest.raises(KeyError, match="/"):
        groups_of((4, 2, "/"))


@given(queries)
def test_groups_divide_the_queries_and_mirror_images_are_of_the_same_ones(asked: list[tuple[int, int, str]]) -> None:
    masks = groups_of(*asked)
    assert all(any(mask) for mask in masks.values())
    assert masks == groups_of(*((right, left, operator) for left, right, operator in asked))

    def together(*names: str) -> list[int]:
        return np.sum([masks.get(name, [False] * len(asked)) for name in names], axis=0).tolist()

    assert together("addition", "subtraction", "multiplication") == [1] * len(asked)
    assert together(*(f"{n}-digit answer" for n in range(1, 5))) == [1] * len(asked)
    assert together("carry", "no carry") == together("addition") == [operator == "+" for *_, operator in asked]
    assert together("borrow", "no borrow") == together("subtraction") == [operator == "-" for *_, operator in asked]


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
    assert (matches.tolist(), matches.dtype) == ([True, False, True, False], bool)
    assert errors.exact_matches([], []).shape == (0,)
    assert not errors.confusion([], [], CHARACTERS, 3).any()


@pytest.mark.parametrize(
    ("truth", "answer", "length", "share"),
    [
        *[("68", "68", 3, 1), ("68", "58", 3, 2 / 3), ("-81", "81", 3, 2 / 3), ("5", "55", 3, 2 / 3)],
        *[("123", "", 3, 0), ("7", "", 3, 2 / 3), ("12", "13", 2, 1 / 2), ("12 -5", "12 95", 3, 5 / 6)],
    ],
)
def test_characters_are_compared_from_the_right(truth: str, answer: str, length: int, share: float) -> None:
    assert errors.per_character(truth.split(" "), answer.split(" "), length) == pytest.approx(share)
