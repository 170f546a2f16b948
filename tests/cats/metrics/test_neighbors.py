"""Who is near whom: on points placed by hand, against loops, and laws that hold for any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.metrics.neighbors import memorization, nearest, neighborhood_scores

seeds = st.integers(0, 2**32 - 1)
SCORES = ("precision", "recall", "density", "coverage")


def normal(seed: int, vectors: int, features: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(vectors, features))


def line(*places: float) -> np.ndarray:
    return np.array(places)[:, np.newaxis]


def slow_scores(real: np.ndarray, samples: np.ndarray, k: int) -> dict[str, float]:
    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm(a[:, np.newaxis] - b, axis=-1)

    real_radii, sample_radii = (np.sort(distances(each, each), axis=1)[:, k] for each in (real, samples))
    across = distances(real, samples)
    in_real = across <= real_radii[:, np.newaxis]
    return {
        "precision": float(in_real.any(axis=0).mean()),
        "recall": float((across <= sample_radii).any(axis=1).mean()),
        "density": float(in_real.sum() / (k * len(samples))),
        "coverage": float(in_real.any(axis=1).mean()),
    }


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(4, 30), st.integers(4, 30), st.integers(1, 3), st.floats(0.2, 3))
def test_the_scores_are_what_loops_give(seed: int, n: int, m: int, k: int, scale: float) -> None:
    real, samples = normal(seed, n, 3) + 10, scale * normal(seed + 1, m, 3) + 10
    assert neighborhood_scores(real, samples, k) == pytest.approx(slow_scores(real, samples, k))


def test_scores_worked_out_by_hand_and_by_theory() -> None:
    # For k = 1, real balls reach 1, 1 and 8 to either side, those of samples 0.2, 0.2 and 29.4: the first two
    # samples are in the balls of 0 and 1, the last is in none, but has 1 and 9 in its own.
    real, samples = line(0, 1, 9), line(0.4, 0.6, 30)
    expected = {"precision": 2 / 3, "recall": 2 / 3, "density": 4 / 3, "coverage": 2 / 3}
    assert neighborhood_scores(real, samples, 1) == pytest.approx(expected)
    # 1 - (N - 1)...(N - k) / (2N - 1)...(2N - k), about 1 - 2^-k (Naeem et al. 2020, section 3).
    found = neighborhood_scores(normal(0, 2000, 8), normal(1, 2000, 8))
    assert found["coverage"] == pytest.approx(1 - 2**-5, abs=0.01)
    assert found["density"] == pytest.approx(1, abs=0.05)


def test_samples_of_one_mode_of_one_image_and_of_nothing_real() -> None:
    near, far = normal(0, 300, 4), normal(1, 300, 4) + 100
    found = neighborhood_scores(np.concatenate([near, far]), normal(2, 600, 4))
    assert found["precision"] > 0.9
    assert found["recall"] < 0.5
    assert 0.4 < found["coverage"] <= 0.5
    assert neighborhood_scores(normal(0, 50, 3), normal(1, 50, 3) + 100) == dict.fromkeys(SCORES, 0.0)
    real = normal(0, 400, 3)
    found = neighborhood_scores(real, np.repeat(real[:1], 400, axis=0))
    assert found["precision"] == 1
    assert found["recall"] == pytest.approx(1 / 400)
    assert found["coverage"] < 0.05


@pytest.mark.parametrize("shift", [0, 1000])
def test_blocks_and_a_far_origin_change_nothing(shift: float, monkeypatch: pytest.MonkeyPatch) -> None:
    real, samples = normal(0, 45, 4), normal(1, 33, 4)
    whole = neighborhood_scores(real, samples)
    monkeypatch.setattr("library.cats.metrics.neighbors.BLOCK", 10)
    assert neighborhood_scores(real + shift, samples + shift) == pytest.approx(whole)


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(1, 30), st.integers(1, 30))
def test_the_nearest_are_what_loops_give(seed: int, queries: int, references: int) -> None:
    a, b = normal(seed, queries, 5) + 50, normal(seed + 1, references, 5) + 50
    distances = np.linalg.norm(a[:, np.newaxis] - b, axis=-1)
    found = nearest(a, b)
    assert found.distances == pytest.approx(distances.min(axis=1), rel=1e-3)
    assert distances[np.arange(queries), found.indices] == pytest.approx(distances.min(axis=1), rel=1e-3)


def test_copies_are_found_and_memorised_and_what_is_as_far_as_test_images_is_not() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 300), dtype=np.uint8)
    found = nearest(images[[7, 31]], images)
    assert found.indices.tolist() == [7, 31]
    assert found.distances == pytest.approx([0, 0], abs=1)
    distances = np.linspace(1, 2, 1001)
    assert memorization(distances, distances) == pytest.approx(
        {"memorisation_ratio": 1, "memorisation_share": 0.01}, abs=1e-3
    )
    copied = np.concatenate([np.zeros(30), np.full(70, 1.5)])
    assert memorization(copied, np.linspace(1, 2, 1001)) == {"memorisation_ratio": 1.0, "memorisation_share": 0.3}


@pytest.mark.parametrize(("a", "b"), [((5, 4), (9, 4)), ((9, 4), (5, 4)), ((9, 4), (9, 3))])
def test_sets_that_cannot_be_compared_are_refused(a: tuple[int, int], b: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"^neighborhoods: got .*; allowed are 6 rows or more, same features$"):
        neighborhood_scores(np.zeros(a), np.zeros(b))
    with pytest.raises(ValueError, match=r"^nearest: got \(2, 3\) and \(0, 3\); allowed are 1 rows or more"):
        nearest(np.zeros((2, 3)), np.zeros((0, 3)))
