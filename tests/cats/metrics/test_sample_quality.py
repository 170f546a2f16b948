"""All scores of samples together: their names, what each failure does to them, and the whitening they are taken in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.metrics import sample_quality
from library.cats.metrics.mmd import kid
from library.cats.metrics.sample_quality import COMPONENTS, Whitening
from library.framework.statistics import frechet_distance

NAMES = ("frechet_distance", "kid", "kid_standard_error", "precision", "recall", "density", "coverage")
# As of random networks: most of what varies is one thing, which all features tell.
MIX = np.random.default_rng(7).normal(size=(12, 12)) * np.array([100.0, *[1.0] * 11])[:, np.newaxis]


def drawn(seed: int, images: int, shift: float = 0, scale: float = 1) -> np.ndarray:
    return (scale * np.random.default_rng(seed).normal(size=(images, 12)) + shift) @ MIX


def scored(fake: np.ndarray, **options: object) -> dict[str, float]:
    found = sample_quality.evaluate(drawn(0, 500), fake, network="net", **options)  # type: ignore[arg-type]
    return {name.removeprefix("test/").removesuffix("_net"): value for name, value in found.items()}


def test_each_score_says_its_network_and_split() -> None:
    found = sample_quality.evaluate(drawn(0, 50), drawn(1, 40), drawn(2, 60), network="net", split="val")
    memorised = ("memorisation_ratio", "memorisation_share")
    assert set(found) == {*(f"val/{name}_net" for name in (*NAMES, *memorised)), "val/real_images", "val/samples"}
    assert (found["val/real_images"], found["val/samples"]) == (50, 40)
    assert sample_quality.score_name("kid", "net", "val") in found
    assert all(isinstance(value, float) for value in found.values())
    assert set(scored(drawn(1, 500))) == {*NAMES, "real_images", "samples"}


def test_good_samples_too_even_ones_and_copies_are_told_apart() -> None:
    found = scored(drawn(1, 500), train=drawn(2, 2000))
    assert abs(found["kid"]) < 3 * found["kid_standard_error"]
    assert found["frechet_distance"] < 0.5
    assert min(found[name] for name in ("precision", "recall", "density", "coverage")) > 0.85
    assert found["memorisation_ratio"] == pytest.approx(1, abs=0.05)
    assert found["memorisation_share"] < 0.03
    found = scored(drawn(1, 500, scale=0.5))
    assert found["precision"] > 0.95
    assert found["recall"] < 0.3
    assert found["kid"] > 5 * found["kid_standard_error"]
    train = drawn(2, 2000)
    found = scored(train[:500], train=train)
    assert found["memorisation_ratio"] < 0.05
    assert found["memorisation_share"] == 1
    assert found["coverage"] > 0.85  # which alone would not tell


def test_whitened_features_have_unit_covariance_where_anything_varies() -> None:
    features = drawn(0, 300) + 5
    white = Whitening.of(features)(features)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(12), atol=1e-9)
    features = np.random.default_rng(0).normal(size=(100, 3)) @ np.random.default_rng(1).normal(size=(3, 40))
    white = Whitening.of(features.astype(np.float32))(features)
    assert white.shape == (100, 3)
    assert np.isfinite(white).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_the_components_that_are_kept_are_those_that_vary_most(seed: int, components: int) -> None:
    deviations = np.arange(12, 0, -1.0)
    features = np.random.default_rng(seed).normal(size=(2000, 12)) * deviations**2
    whiten = Whitening.of(features, components)
    assert whiten.directions.shape == (12, components)
    assert np.abs(whiten.directions * (deviations**2)[:, np.newaxis]).max(axis=1)[:components].min() > 0.5


def test_scores_in_whitened_features_heed_no_scale_or_rotation_of_the_features() -> None:
    turn = 30 * np.linalg.qr(np.random.default_rng(3).normal(size=(12, 12)))[0]
    real, fake = drawn(0, 200), drawn(1, 200, shift=0.3)
    plain, turned = (
        sample_quality.evaluate(a, b, network="net") for a, b in ((real, fake), (real @ turn + 4, fake @ turn + 4))
    )
    assert turned == pytest.approx(plain, rel=1e-3)


def test_whitening_shows_what_the_greatest_variance_hides_and_can_be_left_out() -> None:
    real, fake = drawn(0, 500) / 100, drawn(1, 500, shift=0.3) / 100
    found = sample_quality.evaluate(real, fake, network="net", components=None)
    assert found["test/frechet_distance_net"] == pytest.approx(frechet_distance(real, fake))
    assert found["test/kid_net"] == pytest.approx(kid(real, fake).value)
    fake = drawn(1, 500)
    fake += np.array([0.0, *[0.3] * 11]) @ MIX
    certainty = {}
    for components in (None, COMPONENTS):
        found = sample_quality.evaluate(drawn(0, 500), fake, network="net", components=components)
        certainty[components] = found["test/kid_net"] / found["test/kid_standard_error_net"]
    assert certainty[COMPONENTS] > 5 > certainty[None]


@pytest.mark.parametrize(("real", "fake"), [((5, 4), (9, 4)), ((9, 4), (0, 4)), ((9, 4), (9, 3))])
def test_sets_that_cannot_be_compared_are_refused(real: tuple[int, int], fake: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"^samples: got .*; allowed are 6 rows or more, same features$"):
        sample_quality.evaluate(np.zeros(real), np.zeros(fake), network="net")
