"""The kernel distance: against loops over pairs, and over many draws; no network is needed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.metrics.mmd import Kernel, inverse_multiquadric, kernel_distance, kid, polynomial

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(3, 9)
kernels = pytest.mark.parametrize("kernel", [polynomial, inverse_multiquadric])


def normal(seed: int, vectors: int, features: int, shift: float = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(vectors, features)) + shift


def slow_distance(a: np.ndarray, b: np.ndarray, kernel: Kernel) -> float:
    def mean(one: np.ndarray, other: np.ndarray, *, own: bool) -> float:
        pairs = [(i, j) for i in range(len(one)) for j in range(len(other)) if own or i != j]
        return float(np.mean([kernel(one[[i]], other[[j]])[0, 0] for i, j in pairs]))

    return mean(a, a, own=False) + mean(b, b, own=False) - 2 * mean(a, b, own=True)


@kernels
@settings(deadline=None, max_examples=25)
@given(seeds, counts, counts, st.integers(1, 5))
def test_it_is_what_loops_over_pairs_give(kernel: Kernel, seed: int, n: int, m: int, features: int) -> None:
    a, b = normal(seed, n, features), normal(seed + 1, m, features, 0.5)
    estimate = kernel_distance(a, b, kernel)
    assert estimate.value == pytest.approx(slow_distance(a, b, kernel), rel=1e-4, abs=1e-4)
    assert kernel_distance(b, a, kernel).value == pytest.approx(estimate.value, rel=1e-4, abs=1e-4)


@kernels
def test_the_error_is_what_leaving_out_one_after_the_other_gives(kernel: Kernel) -> None:
    a, b = normal(0, 7, 3), normal(1, 5, 3, 1)
    without_a = [kernel_distance(np.delete(a, i, axis=0), b, kernel).value for i in range(7)]
    without_b = [kernel_distance(a, np.delete(b, i, axis=0), kernel).value for i in range(5)]
    expected = np.sqrt(6 * np.var(without_a) + 4 * np.var(without_b))
    assert kernel_distance(a, b, kernel).standard_error == pytest.approx(expected, rel=1e-4)


def test_the_kernels_worked_out_by_hand() -> None:
    # x.y of the four pairs is 0, 2, 4 and 6, of two features.
    values = polynomial(np.array([[0.0, 2.0], [2.0, 2.0]]), np.array([[1.0, 0.0], [1.0, 2.0]]))
    assert values.tolist() == [[1, 27], [8, 64]]
    values = inverse_multiquadric(np.array([[0.0, 0.0]]), np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]]))
    assert values.tolist() == [[1, 0.5, pytest.approx(1 / 3)]]


@kernels
@pytest.mark.parametrize("n", [10, 40])
def test_equal_distributions_are_at_no_distance_on_average_however_few_are_drawn(kernel: Kernel, n: int) -> None:
    drawn = [kernel_distance(normal(2 * i, n, 4), normal(2 * i + 1, n, 4), kernel) for i in range(300)]
    values = np.array([estimate.value for estimate in drawn])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert values.min() < 0 < values.max()


@kernels
def test_the_error_is_how_much_the_distance_varies_from_draw_to_draw(kernel: Kernel) -> None:
    drawn = [kernel_distance(normal(2 * i, 200, 4), normal(2 * i + 1, 150, 4, 0.7), kernel) for i in range(200)]
    spread = np.std([estimate.value for estimate in drawn])
    assert np.mean([estimate.standard_error for estimate in drawn]) == pytest.approx(spread, rel=0.15)


def test_a_shift_is_seen_as_many_errors_however_many_blocks_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    estimate = kid(normal(0, 500, 8), normal(1, 500, 8, 0.5))
    assert estimate.value > 10 * estimate.standard_error > 0
    a, b = normal(0, 25, 3), normal(1, 31, 3, 0.2)
    whole = kid(a, b)
    monkeypatch.setattr("library.cats.metrics.neighbors.BLOCK", 10)
    parts = kid(a, b)
    assert parts.value == pytest.approx(whole.value, rel=1e-4)
    assert parts.standard_error == pytest.approx(whole.standard_error, rel=1e-4)


@pytest.mark.parametrize(("a", "b"), [((2, 4), (5, 4)), ((5, 4), (5, 3)), ((5,), (5,))])
def test_sets_that_cannot_be_compared_are_refused(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^kernel distance: got .*; allowed are 3 rows or more, same features$"):
        kid(np.zeros(a), np.zeros(b))
