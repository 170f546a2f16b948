"""The arithmetic task: right answers, and splits that are disjoint, complete, nested and the same every time."""

import functools
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.configs import ArithmeticConfig
from library.data import arithmetic, notation

FRACTIONS = (0.75, 0.5, 0.25, 0.1)
MIRROR_GROUPS = arithmetic.mirror_groups(*arithmetic.all_operands())
PINNED = {
    "train_fraction": 0.5,
    "validation_fraction": 0.05,
    "split": "random",
    "split_seed": 0,
    "padding": "left",
}


@functools.cache
def load(**fields: Any) -> arithmetic.Splits:
    return arithmetic.load(ArithmeticConfig(**(PINNED | fields)))


def parts(splits: arithmetic.Splits) -> tuple[arithmetic.Queries, ...]:
    return splits.train, splits.validation, splits.test


def sides(train_fraction: float, validation_fraction: float, seed: int) -> np.ndarray:
    """`[operator, left, right]`: in which part a disjoint split puts each query."""
    found = np.full(len(MIRROR_GROUPS), -1)
    for side, indices in enumerate(arithmetic.split(MIRROR_GROUPS, train_fraction, validation_fraction, seed)):
        found[indices] = side
    return found.reshape(2, 100, 100)


def test_there_are_20_000_distinct_queries() -> None:
    assert len(set(zip(*(array.tolist() for array in arithmetic.all_operands()), strict=True))) == 20_000


@pytest.mark.parametrize("padding", ["left", "right"])
def test_every_answer_is_right_and_ids_say_what_texts_say(padding: str) -> None:
    for queries in parts(load(padding=padding)):
        left, right, minus = arithmetic.operands(queries)
        np.testing.assert_array_equal(np.array(queries.answers, dtype=int), np.where(minus, left - right, left + right))
        assert queries.x.shape == (len(queries), 5)
        assert queries.y.shape == (len(queries), 3)
        assert tuple(text.replace(" ", "") for text in notation.decode(queries.x)) == queries.texts
        assert tuple(notation.decode(queries.y)) == queries.answers


def test_operands_inverts_the_texts() -> None:
    queries = load().test
    left, right, minus = arithmetic.operands(queries)
    signs = np.where(minus, "-", "+")
    assert tuple(f"{a}{sign}{b}" for a, sign, b in zip(left, signs, right, strict=True)) == queries.texts


@pytest.mark.parametrize("split", ["random", "disjoint"])
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_parts_are_disjoint_and_complete(fraction: float, split: str) -> None:
    texts = [text for queries in parts(load(train_fraction=fraction, split=split)) for text in queries.texts]
    assert len(texts) == len(set(texts)) == 20_000


@pytest.mark.parametrize(
    ("fraction", "sizes"),
    [
        (0.75, (14_250, 750, 5_000)),
        (0.5, (9_500, 500, 10_000)),
        (0.25, (4_750, 250, 15_000)),
        (0.1, (1_900, 100, 18_000)),
    ],
)
def test_parts_have_the_sizes_asked_for(fraction: float, sizes: tuple[int, ...]) -> None:
    assert tuple(map(len, parts(load(train_fraction=fraction)))) == sizes
    # A pair that would be cut goes to one side as a whole.
    disjoint = map(len, parts(load(train_fraction=fraction, split="disjoint")))
    assert all(abs(a - b) <= 1 for a, b in zip(disjoint, sizes, strict=True))


@pytest.mark.parametrize("split", ["random", "disjoint"])
def test_test_sets_are_nested_across_train_fractions(split: str) -> None:
    tests = [set(load(train_fraction=fraction, split=split).test.texts) for fraction in sorted(FRACTIONS, reverse=True)]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(tests))


@pytest.mark.parametrize("split", ["random", "disjoint"])
def test_a_split_follows_from_its_own_seed_alone(split: str) -> None:
    first = load(split=split, split_seed=3, seed=1)
    np.random.seed(7)  # the global state must not matter
    again = arithmetic.load(ArithmeticConfig(**(PINNED | {"split": split, "split_seed": 3, "seed": 2})))
    assert [queries.texts for queries in parts(first)] == [queries.texts for queries in parts(again)]
    assert set(first.test.texts) != set(load(split=split, split_seed=4).test.texts)


@settings(deadline=None, max_examples=40)
@given(st.floats(0.05, 0.95), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_a_disjoint_split_keeps_mirror_images_together(train: float, validation: float, seed: int) -> None:
    side = sides(train, validation, seed)
    assert side.min() == 0
    assert (side == side.transpose(0, 2, 1)).all()


def test_a_disjoint_split_keeps_mirror_images_together_where_the_test_part_is_tiny() -> None:
    side = sides(0.99995, 0.05, seed=0)
    assert (side == side.transpose(0, 2, 1)).all()


@pytest.mark.parametrize("fractions", [(0.5, 0.00001), (0.0001, 0.05)])
def test_no_part_is_empty(fractions: tuple[float, float]) -> None:
    assert all(map(len, arithmetic.split(MIRROR_GROUPS, *fractions, 0)))


def test_mirror_images_share_a_group_that_is_theirs_alone() -> None:
    group = MIRROR_GROUPS.reshape(2, 100, 100)
    assert (group == group.transpose(0, 2, 1)).all()
    _, sizes = np.unique(group, return_counts=True)
    assert np.bincount(sizes).tolist() == [0, 200, 9_900]  # 2 x 100 of a with a; 2 x 4,950 pairs


@pytest.mark.parametrize(
    "change",
    [
        {"split_seed": 1},
        {"train_fraction": 0.25},
        {"validation_fraction": 0.1},
        {"padding": "right"},
        {"split": "disjoint"},
    ],
    ids=str,
)
def test_the_digest_changes_with_the_data(change: dict[str, Any]) -> None:
    assert load(**change).digest != load().digest


def test_the_digest_is_the_same_on_every_machine() -> None:
    assert load().digest == "86d2850135ca077c"


def test_the_digest_does_not_change_with_the_seed_of_the_training() -> None:
    assert load(seed=5).digest == load().digest
