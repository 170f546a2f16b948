"""Latent samplers: their samples have the right distribution and repeat, fits recover it, and saving keeps it."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.models import samplers
from library.cats.models.samplers import LatentSampler, fit_mixture, load, normal, save

SAMPLES = 40_000
seeds = st.integers(0, 2**32 - 1)
MEANS = np.array([[-5.0, 0.0], [5.0, 2.0]])
FACTORS = np.array([[[1.0, 0.0], [0.5, 0.3]], [[0.2, 0.0], [-0.4, 0.6]]])
WEIGHTS = np.array([0.25, 0.75])
MIXTURE = LatentSampler(WEIGHTS, MEANS, FACTORS)


def draw(sampler: LatentSampler, count: int = SAMPLES, seed: int = 0) -> np.ndarray:
    return sampler.sample(count, np.random.default_rng(seed))


@pytest.mark.parametrize("temperature", [1.0, 0.6, 0.0])
def test_the_prior_is_normal_with_a_deviation_of_its_temperature(temperature: float) -> None:
    latents = draw(normal(3, temperature))
    assert latents.shape == (SAMPLES, 3)
    assert latents.dtype == np.float32
    np.testing.assert_allclose(latents.mean(axis=0), 0, atol=4 / np.sqrt(SAMPLES))
    np.testing.assert_allclose(np.cov(latents.T), temperature**2 * np.eye(3), atol=0.03)
    assert (np.abs(latents) > 2 * temperature).mean() == pytest.approx(0.0455 if temperature else 0, abs=0.003)


@pytest.mark.parametrize(("bound", "variance"), [(0.5, 0.0806), (1.0, 0.2911), (1.5, 0.5523)])
def test_a_bound_cuts_the_tails_off_and_leaves_the_rest_in_proportion(bound: float, variance: float) -> None:
    latents = draw(normal(2, bound=bound))
    assert 0.99 * bound < np.abs(latents).max() <= bound
    # Of a standard normal between -b and b: 1 - 2 b phi(b) / (2 Phi(b) - 1).
    np.testing.assert_allclose(latents.var(axis=0), variance, rtol=0.03)
    np.testing.assert_allclose(draw(normal(2, 0.5, bound=bound)), 0.5 * latents, rtol=1e-6)  # whatever the temperature


def test_a_mixture_draws_from_each_component_as_often_as_its_weight_and_moves_on() -> None:
    latents = draw(MIXTURE)
    first = latents[:, 0] < 0
    assert first.mean() == pytest.approx(WEIGHTS[0], abs=4 * np.sqrt(0.25 * 0.75 / SAMPLES))
    for rows, mean, factor in zip((first, ~first), MEANS, FACTORS, strict=True):
        np.testing.assert_allclose(latents[rows].mean(axis=0), mean, atol=0.05)
        np.testing.assert_allclose(np.cov(latents[rows].T), factor @ factor.T, atol=0.04)
    random = np.random.default_rng(0)
    assert (MIXTURE.sample(5, random) != MIXTURE.sample(5, random)).any()
    for sampler, count in ((MIXTURE, 0), (MIXTURE, 5), (normal(2, bound=1.0), 5)):  # equal generators draw the same
        first, again, other = (draw(sampler, count, seed) for seed in (3, 3, 4))
        assert first.shape == (count, 2)
        np.testing.assert_array_equal(first, again)
        assert (first != other).any() == (count > 0)


def test_a_fit_recovers_the_mixture_or_the_mean_and_covariance() -> None:
    latents = draw(MIXTURE, 5000)
    found = fit_mixture(latents, 2, seed=0)
    order = np.argsort(found.means[:, 0])
    np.testing.assert_allclose(found.weights[order], WEIGHTS, atol=0.03)
    np.testing.assert_allclose(found.means[order], MEANS, atol=0.06)
    covariances = found.factors @ found.factors.transpose(0, 2, 1)
    np.testing.assert_allclose(covariances[order], FACTORS @ FACTORS.transpose(0, 2, 1), atol=0.06)
    assert found.bound == np.inf
    found = fit_mixture(latents, 1, seed=0)
    np.testing.assert_allclose(found.means[0], latents.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(found.factors[0] @ found.factors[0].T, np.cov(latents.T), rtol=0.01, atol=0.02)


def test_fits_repeat_with_the_seed_and_collapse_onto_no_line() -> None:
    latents = draw(normal(3), 300)
    first, again, other = (fit_mixture(latents, 4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.means, again.means)
    assert (first.means != other.means).any()
    # Of two vectors each: their covariance alone has no inverse.
    pairs = np.array([[0.0, 0.0], [0.0, 1.0], [100.0, 0.0], [100.0, 1.0]], dtype=np.float32)
    found = fit_mixture(pairs, 2, seed=0)
    least = np.linalg.eigvalsh(found.factors @ found.factors.transpose(0, 2, 1)).min()
    assert least == pytest.approx(1e-3 * pairs.var(), rel=1e-3)


@st.composite
def any_sampler(draw_value: st.DrawFn) -> LatentSampler:
    size, components = draw_value(st.integers(1, 4)), draw_value(st.integers(1, 3))
    random = np.random.default_rng(draw_value(seeds))
    return LatentSampler(
        random.dirichlet(np.ones(components)),
        random.normal(size=(components, size)),
        random.normal(size=(components, size, size)),
        draw_value(st.sampled_from([0.5, 2.0, np.inf])),
    )


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=12).filter(lambda name: name.strip("."))


@settings(max_examples=10)
@given(kept=st.dictionaries(names, any_sampler(), min_size=1, max_size=4), seed=seeds)
def test_saved_samplers_draw_the_same(
    tmp_path_factory: pytest.TempPathFactory, kept: dict[str, LatentSampler], seed: int
) -> None:
    path = tmp_path_factory.mktemp("kept") / "strategies.npz"
    save(kept, path)
    found = load(path)
    assert list(found) == list(kept)
    for name, sampler in kept.items():
        assert found[name].bound == sampler.bound
        np.testing.assert_array_equal(draw(found[name], 50, seed), draw(sampler, 50, seed))


def test_plain_numbers_are_kept_and_nothing_else_is_read(tmp_path: Path) -> None:
    save({"mixture": MIXTURE, "prior-0.8": normal(2, 0.8)}, tmp_path / "strategies.npz")
    parts = ("weights", "means", "factors", "bound")
    with np.load(tmp_path / "strategies.npz", allow_pickle=False) as kept:
        assert set(kept) == {f"{name}/{part}" for name in ("mixture", "prior-0.8") for part in parts}
        assert {kept[name].dtype.kind for name in kept} == {"f"}
    objects = np.array([{}], dtype=object)
    np.savez(tmp_path / "bad.npz", **{f"prior/{part}": objects for part in parts})
    with pytest.raises(ValueError, match="allow_pickle"):
        load(tmp_path / "bad.npz")


def test_the_file_draws_by_itself_wherever_it_is(tmp_path: Path) -> None:
    alone = tmp_path / "sampling.py"
    alone.write_bytes(Path(str(samplers.__file__)).read_bytes())
    save({"mixture": MIXTURE}, tmp_path / "strategies.npz")
    program = f"""
import json, runpy, sys
import numpy as np
sys.modules.update(dict.fromkeys(["library", "keras", "tensorflow", "sklearn", "scipy"]))  # importing one is an error
sampling = runpy.run_path({alone.name!r})
latents = sampling["load"]("strategies.npz")["mixture"].sample(5, np.random.default_rng(0))
print(json.dumps(latents.tolist()))
"""
    printed = subprocess.check_output([sys.executable, "-I", "-c", program], cwd=tmp_path)
    np.testing.assert_array_equal(np.array(json.loads(printed), dtype=np.float32), draw(MIXTURE, 5))
    assert runpy.run_path(str(alone))["__doc__"] == samplers.__doc__
