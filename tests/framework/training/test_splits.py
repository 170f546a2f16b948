"""Examples: three parts that share nothing, always the same ones, and a digest of every value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.framework.training.splits import digest, split

X, Y = np.arange(200).reshape(100, 2), np.arange(100)


@given(st.integers(20, 3000), st.integers(0, 2**32 - 1))
def test_every_example_is_in_one_part_beside_its_target(count: int, seed: int) -> None:
    parts = split(np.arange(count), -np.arange(count), seed)
    assert [len(x) for x in parts.inputs.values()] == [
        count - count // 5 - (count - count // 5) // 10,
        (count - count // 5) // 10,
        count // 5,
    ]
    assert sorted(np.concatenate(list(parts.inputs.values()))) == list(range(count))
    assert all((x == -y).all() for x, y in (parts.train, parts.validation, parts.test))


def test_a_split_is_drawn_by_its_seed_alone() -> None:
    first, again, other = split(X, Y), split(X, Y, seed=0), split(X, Y, seed=1)
    assert first.digest == again.digest != other.digest
    np.testing.assert_array_equal(first.test[0], again.test[0])


def test_the_digest_depends_on_every_value_and_on_where_a_part_ends() -> None:
    changed = Y.copy()
    changed[-1] += 1
    digests = [digest(arrays) for arrays in ([X, Y], [X, changed], [Y, X], [X[:9], X[9:], Y], [X])]
    assert len(set(digests)) == 5
    assert all(len(one) == 16 for one in digests)
    assert split(X, changed).digest != split(X, Y).digest
    assert digest([X.T]) == digest([X.T.copy()]), "an array counts as it is read, not as it lies in memory"


@pytest.mark.parametrize(("examples", "labels"), [(19, 19), (0, 0), (30, 29)])
def test_too_few_examples_and_unequal_numbers_are_refused(examples: int, labels: int) -> None:
    with pytest.raises(ValueError, match=f"split: got {examples} and {labels} examples; allowed is the same number"):
        split(np.zeros(examples), np.zeros(labels))
