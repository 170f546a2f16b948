"""Latent spaces: divergences worked out by hand, ways whose lengths are known, and maps of codes that lie apart."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.cats.metrics import latent_space

seeds = st.integers(0, 2**32 - 1)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


def test_a_dimension_whose_means_vary_by_more_than_a_hundredth_is_in_use() -> None:
    signs = np.array([[1.0], [-1.0]])
    assert latent_space.active_units(signs * np.sqrt([0, 0.0099, 0.0101, 1]) + [5, 5, 5, 5]) == 2


def test_the_divergence_worked_out_by_hand_and_from_the_densities() -> None:
    # Of N(0, 1), N(3, 1) and N(0, e^2): 0, 9/2 and (e^2 - 3) / 2; the second image's posteriors are the prior.
    means = np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    log_variances = np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    expected = np.array([0, 9 / 2, (np.e**2 - 3) / 2]) / 2
    assert latent_space.kl_per_dimension(means, log_variances) == pytest.approx(expected)
    mean, deviation = 0.7, 0.4
    draws = mean + deviation * normal(0, 200_000)
    logarithms = (draws**2 - ((draws - mean) / deviation) ** 2) / 2 - np.log(deviation)
    found = latent_space.kl_per_dimension(np.array([[mean]]), np.array([[2 * np.log(deviation)]]))
    assert found == pytest.approx([logarithms.mean()], rel=0.01)


def test_codes_mismatch_unless_they_lie_as_the_prior_has_it() -> None:
    estimate = latent_space.prior_mismatch(normal(0, 1000, 8), normal(1, 1000, 8))
    assert abs(estimate.value) < 3 * estimate.standard_error
    codes = normal(0, 1000, 2)
    holed = codes / np.linalg.norm(codes, axis=1, keepdims=True) * np.sqrt(2)  # mean 0 and variance 1, like the prior
    for changed in (codes + 0.5, codes / 2, holed):
        estimate = latent_space.prior_mismatch(changed, normal(1, 1000, 2))
        assert estimate.value > 5 * estimate.standard_error


def test_a_straight_way_and_a_quarter_turn() -> None:
    assert latent_space.linear(np.array([0.0, 4.0]), np.array([2.0, 0.0]), 3).tolist() == [[0, 4], [1, 2], [2, 0]]
    half = np.sqrt(0.5)
    codes = latent_space.spherical(np.array([1.0, 0.0]), np.array([0.0, 3.0]), 3)
    np.testing.assert_allclose(codes, [[1, 0], [2 * half, 2 * half], [0, 3]], atol=1e-12)


@given(seeds, st.integers(2, 20), st.integers(3, 9), st.floats(0.1, 9))
def test_both_ways_begin_and_end_at_the_codes_and_on_the_arc_lengths_and_angles_go_evenly(
    seed: int, size: int, steps: int, scale: float
) -> None:
    start, end = normal(seed, 2, size)
    for way in (latent_space.linear, latent_space.spherical):
        codes = way(start, scale * end, steps)
        assert codes.shape == (steps, size)
        np.testing.assert_allclose(codes[[0, -1]], [start, scale * end], atol=1e-9)
    lengths = np.linalg.norm(codes, axis=1)
    np.testing.assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], steps), rtol=1e-6)
    turns = [angle(a, b) for a, b in pairwise(codes)]
    np.testing.assert_allclose(turns, angle(start, end) / (steps - 1), atol=1e-5)


@pytest.mark.parametrize("factor", [2.0, 1.0, -1.0, 0.0])
def test_where_there_is_no_arc_the_way_is_straight(factor: float) -> None:
    start = np.array([1.0, 2.0, 3.0])
    codes = latent_space.spherical(start, factor * start, 5)
    np.testing.assert_allclose(codes, latent_space.linear(start, factor * start, 5), atol=1e-9)


def test_an_attribute_is_the_way_from_those_without_it_to_those_with_it() -> None:
    codes = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    assert latent_space.attribute(codes, np.array([True, True, False])).tolist() == [2, -5]
    for all_or_none in (True, False):
        with pytest.raises(ValueError, match=r"^attribute: [03] of 3 images have it; some must, and some not$"):
            latent_space.attribute(codes, np.full(3, all_or_none))


def test_the_plane_is_that_of_the_two_greatest_variances() -> None:
    codes = normal(0, 500, 4) * [1, 30, 0.1, 10]
    across, up = latent_space.pca_map(codes).T
    assert abs(np.corrcoef(across, codes[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(up, codes[:, 3])[0, 1]) > 0.99


def test_neighbours_stay_neighbours_on_the_map() -> None:
    codes = np.concatenate([normal(0, 40, 10), normal(1, 40, 10) + 20])
    plane = latent_space.tsne_map(codes, perplexity=10)
    gaps = np.linalg.norm(plane[:, np.newaxis] - plane, axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert ((gaps.argmin(axis=1) < 40) == (np.arange(80) < 40)).all()
    np.testing.assert_array_equal(plane, latent_space.tsne_map(codes, perplexity=10))
