"""Disentanglement: codes that are the factors themselves score 1, the same ones turned score little."""

import numpy as np
import pytest

from library.cats.metrics import disentanglement
from library.cats.metrics.disentanglement import mig

IMAGES = 800


def factors(seed: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {"size": draw.random(IMAGES), "breed": draw.integers(0, 4, IMAGES), "light": draw.random(IMAGES)}


def codes(of: dict[str, np.ndarray], seed: int, extra: int = 2) -> np.ndarray:
    """One dimension for each factor, and some that say nothing; all about as wide."""
    scaled = [(values - values.mean()) / values.std() for values in of.values()]
    return np.column_stack([*scaled, np.random.default_rng(seed).normal(size=(len(scaled[0]), extra))])


def turned(some: np.ndarray) -> np.ndarray:
    size = some.shape[1]
    return some @ np.linalg.qr(np.random.default_rng(5).normal(size=(size, size)))[0]


def dci(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    found = disentanglement.dci(one, factors(0), other, factors(1))
    return {name.removeprefix("dci_"): value for name, value in found.items()}


def test_one_dimension_for_each_factor_scores_1_every_time() -> None:
    one, other = codes(factors(0), 2), codes(factors(1), 3)
    found = dci(one, other)
    assert found == pytest.approx({"disentanglement": 1, "completeness": 1, "informativeness": 1}, abs=0.02)
    assert found == dci(one, other)


def test_turned_codes_and_codes_that_say_nothing_score_little() -> None:
    found = dci(turned(codes(factors(0), 2, 0)), turned(codes(factors(1), 3, 0)))
    assert found["informativeness"] > 0.6
    assert found["disentanglement"] < 0.5
    assert found["completeness"] < 0.5
    found = dci(np.random.default_rng(0).normal(size=(IMAGES, 3)), np.random.default_rng(1).normal(size=(IMAGES, 3)))
    assert found["informativeness"] == pytest.approx(0, abs=0.02)


def test_a_factor_told_by_two_dimensions_is_not_complete_but_each_is_of_one_factor() -> None:
    # The sum of both is the size: each has half of it, and neither has anything of the rest.
    def split(of: dict[str, np.ndarray], seed: int) -> np.ndarray:
        some = codes(of, seed, 0)
        half = np.random.default_rng(seed + 10).normal(size=IMAGES)
        return np.column_stack([some[:, 0] + half, some[:, 0] - half, some[:, 1:]])

    found = dci(split(factors(0), 2), split(factors(1), 3))
    assert found["disentanglement"] > 0.95
    assert found["completeness"] == pytest.approx(1 - np.log(2) / np.log(4) / 3, abs=0.05)


def test_the_gap_is_1_for_a_dimension_per_factor_and_small_for_turned_or_shared_ones() -> None:
    assert mig(codes(factors(0), 2, 0), factors(0)) == pytest.approx(1, abs=0.1)
    assert mig(turned(codes(factors(0), 2, 0)), factors(0)) < 0.2
    size = factors(0)["size"]
    assert mig(np.column_stack([size, 3 - 2 * size, np.zeros(IMAGES)]), {"size": size}) == pytest.approx(0, abs=0.01)


def test_a_gap_worked_out_by_hand_and_that_of_other_categories() -> None:
    # Both dimensions and the factor are two-valued. The first tells all, ln 2; the second is right 3 times of 4.
    factor = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    second = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    told = np.log(2) + 3 / 4 * np.log(3 / 4) + 1 / 4 * np.log(1 / 4)
    found = mig(np.column_stack([factor, second]).astype(float), {"factor": factor})
    assert found == pytest.approx((np.log(2) - told) / np.log(2))
    factor = np.array([-7, 900] * 50)
    some = np.column_stack([factor, np.zeros(100)]).astype(float)
    assert mig(some, {"number": factor, "truth": factor > 0}) == pytest.approx(1)


def test_a_factor_that_does_not_vary_is_refused_by_name() -> None:
    still, some = {"size": np.full(9, 2.5)}, np.zeros((9, 2))
    message = r"^factor size: got \[2.5\] throughout; allowed are values that vary$"
    with pytest.raises(ValueError, match=message):
        mig(some, still)
    with pytest.raises(ValueError, match=message):
        disentanglement.dci(some, still, some, still)
