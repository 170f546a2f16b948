"""Autoencoders: losses worked out by hand, a posterior that is what its divergence says, and errors that fall."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.config import AutoencoderConfig, CatsConfig, VaeConfig
from library.cats.data import dataset
from library.cats.metrics import latent_space, reconstruction
from library.cats.models import autoencoders
from library.cats.models.autoencoders import Cae, Vae, encode, reconstruct

LATENT, NUMBERS = 3, 75 * 75 * 3
TINY = {
    "filters": "4-6-8", "latent_size": LATENT, "residuals": 0, "validation_samples": 10, "warmup": 0, "ssim_weight": 0,
}  # fmt: skip
IMAGES = dataset.load(CatsConfig(images=60)).train[:8]
DRAWN = np.random.default_rng(0).random(IMAGES.shape, dtype=np.float32)


def cae(**fields: Any) -> Cae:
    keras.utils.set_random_seed(0)
    return autoencoders.build(AutoencoderConfig(**{**TINY, **fields}))


def vae(**fields: Any) -> Vae:
    keras.utils.set_random_seed(0)
    model = autoencoders.build(VaeConfig(**{**TINY, **fields}))
    assert isinstance(model, Vae)
    return model


VAES = vae(likelihood="calibrated"), vae(likelihood="unit")


def encode_as(model: Cae, codes: list[float]) -> None:
    """Has an encoder make the same of every image."""
    kernel, _ = model.encoder.layers[-1].get_weights()
    model.encoder.layers[-1].set_weights([0 * kernel, np.array(codes)])


def squared_error(drawn: np.ndarray = DRAWN) -> float:
    return float(np.mean((IMAGES / 255 - drawn) ** 2))


def divergences(means: np.ndarray, log_variances: np.ndarray) -> np.ndarray:
    """Of each image's posterior from the standard normal prior, in nats."""
    return 0.5 * (means**2 + np.exp(log_variances) - 1 - log_variances).sum(axis=-1)


def test_a_caes_loss_and_metric_are_the_mean_squared_error_of_pixels_from_0_to_1() -> None:
    model = cae()
    assert float(model.compute_loss(x=IMAGES, y_pred=DRAWN)) == pytest.approx(squared_error(), rel=1e-5)
    assert float(model.squared.result()) == pytest.approx(squared_error(), rel=1e-5)
    model.reset_metrics()
    for part in (slice(0, 1), slice(1, 8)):
        model.error(IMAGES[part], DRAWN[part])
    assert float(model.squared.result()) == pytest.approx(squared_error(), rel=1e-5)


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_weighted_dissimilarity_is_added_to_the_squared_error(weight: float) -> None:
    drawn = (0.7 * IMAGES / 255 + 0.3 * DRAWN).astype(np.float32)
    model = cae(ssim_weight=weight)
    added = (float(model.compute_loss(x=IMAGES, y_pred=drawn)) - squared_error(drawn)) / weight
    # The loss has a quarter of the windows.
    assert added == pytest.approx(1 - reconstruction.ssim(IMAGES, 255 * drawn).mean(), abs=0.01)
    assert float(model.squared.result()) == pytest.approx(squared_error(drawn), rel=1e-5)
    zero = np.zeros(len(IMAGES), dtype=np.float32)
    loss = vae(ssim_weight=weight, likelihood="unit").compute_loss(x=IMAGES, y_pred=(drawn, zero), training=False)
    assert float(loss) == pytest.approx(squared_error(drawn) + weight * added, rel=1e-4)


@pytest.mark.parametrize("build", [cae, vae])
def test_images_are_encoded_in_their_order_and_reconstructed_as_bytes(
    build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build()
    codes = model.encoder(IMAGES.astype(np.float32) / 255).numpy()
    assert codes.shape == (len(IMAGES), LATENT if build is cae else 2 * LATENT)
    monkeypatch.setattr(autoencoders, "BATCH", 3)
    np.testing.assert_allclose(encode(model, IMAGES), codes, rtol=1e-4, atol=1e-6)
    drawn = model.decoder(codes[:, :LATENT]).numpy()  # of a VAE, from the mean
    np.testing.assert_allclose(model(IMAGES) if build is cae else model(IMAGES)[0], drawn, rtol=1e-5)
    again = reconstruct(model, IMAGES)
    assert again.dtype == np.uint8
    np.testing.assert_allclose(again, 255 * drawn, atol=0.51)


@pytest.mark.parametrize(("likelihood", "beta"), [("calibrated", 4.0), ("unit", 4.0), ("unit", 0.0)])
def test_a_vaes_loss_is_misfit_and_divergence_for_each_number_of_an_image(likelihood: str, beta: float) -> None:
    model = vae(likelihood=likelihood, beta=beta)
    divergence = np.random.default_rng(1).random(len(IMAGES), dtype=np.float32) * 1e4
    error = squared_error()
    misfit = error if likelihood == "unit" else np.log(error) / 2
    loss = model.compute_loss(x=IMAGES, y_pred=(DRAWN, divergence), training=False)
    assert float(loss) == pytest.approx(misfit + beta * divergence.mean() / NUMBERS, rel=1e-5)
    assert float(model.divergence.result()) == pytest.approx(divergence.mean())
    assert float(model.squared.result()) == pytest.approx(error, rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1), st.floats(-7, 3))
def test_likelihoods_are_gaussian_with_the_best_variance_and_with_one_half(grey: float, log_variance: float) -> None:
    drawn = np.full_like(DRAWN, grey)
    error, variance = squared_error(drawn), np.exp(log_variance)
    zero = np.zeros(len(IMAGES), dtype=np.float32)
    best, unit = (float(model.compute_loss(x=IMAGES, y_pred=(drawn, zero), training=False)) for model in VAES)

    def negative_logarithm(variance: float) -> float:  # of the density of a number, without its constant
        return (np.log(variance) + error / variance) / 2

    assert best + 0.5 <= negative_logarithm(variance) + 1e-5
    assert best + 0.5 == pytest.approx(negative_logarithm(error), abs=1e-5)
    assert unit == pytest.approx(negative_logarithm(0.5) + np.log(2) / 2, abs=1e-5)


def test_the_divergence_is_that_of_the_posterior_in_closed_form() -> None:
    model = vae()
    means, log_variances = (part.numpy() for part in model.posterior(IMAGES))
    assert means.shape == log_variances.shape == (len(IMAGES), LATENT)
    np.testing.assert_array_equal(np.hstack([means, log_variances]), encode(model, IMAGES))
    divergence = model(IMAGES)[1].numpy()
    np.testing.assert_allclose(divergence, divergences(means, log_variances), rtol=1e-4)
    assert divergence.mean() == pytest.approx(latent_space.kl_per_dimension(means, log_variances).sum(), rel=1e-4)
    encode_as(model, [0.0] * 2 * LATENT)  # the prior
    np.testing.assert_array_equal(model(IMAGES)[1], np.zeros(len(IMAGES)))


def test_while_training_images_are_drawn_from_samples_of_the_posterior_and_else_from_its_mean() -> None:
    model = vae()
    model.decoder = keras.layers.Identity()
    means, log_variances = np.array([-2.0, 0.0, 3.0]), np.log([0.25, 1.0, 4.0])
    encode_as(model, [*means, *log_variances])
    images = np.repeat(IMAGES, 100, axis=0)
    np.testing.assert_allclose(model(images)[0], np.tile(means, (800, 1)), rtol=1e-6)
    samples = model(images, training=True)[0].numpy()
    deviations = np.exp(log_variances / 2)
    np.testing.assert_allclose((samples.mean(axis=0) - means) / deviations, 0, atol=4 / np.sqrt(800))
    np.testing.assert_allclose(samples.std(axis=0) / deviations, 1, rtol=0.1)
    np.testing.assert_allclose(np.corrcoef(samples.T), np.eye(3), atol=0.15)
    assert (model(images, training=True)[0].numpy() != samples).all(), "each step draws anew"


@pytest.mark.parametrize(("given", "kept"), [(99.0, 4.0), (-99.0, -12.0), (1.5, 1.5)])
def test_a_posteriors_log_variance_is_kept_within_bounds(given: float, kept: float) -> None:
    model = vae()
    encode_as(model, [0.0] * LATENT + [given] * LATENT)
    _, log_variances = model.posterior(IMAGES)
    np.testing.assert_array_equal(log_variances, np.full((len(IMAGES), LATENT), kept, dtype=np.float32))
    images, divergence = model(IMAGES, training=True)
    np.testing.assert_allclose(divergence, LATENT * (np.exp(kept) - 1 - kept) / 2, rtol=1e-5)
    assert np.isfinite(images.numpy()).all()


@pytest.mark.parametrize(
    ("warmup", "weights"), [(0.2, [0.0, 1.0, 2.0, 2.0]), (0.0, [2.0] * 4), (0.8, [0, 0.25, 0.5, 2])]
)
def test_beta_grows_to_its_value_and_validation_knows_it_from_the_start(warmup: float, weights: list[float]) -> None:
    model = vae(beta=2.0, beta_warmup=warmup, epochs=10, steps_per_epoch=10)
    divergence = np.full(len(IMAGES), float(NUMBERS), dtype=np.float32)
    misfit = np.log(squared_error()) / 2
    losses = [
        [
            float(model.compute_loss(x=IMAGES, y_pred=(DRAWN, divergence), training=training)) - misfit
            for _ in range(101)
        ]
        for training in (True, False)
    ]
    assert [losses[0][step] for step in (0, 10, 20, 100)] == pytest.approx(weights, abs=1e-4)
    assert losses[1] == pytest.approx([2.0] * 101, abs=1e-4)


@pytest.mark.parametrize("build", [cae, vae])
def test_training_lowers_the_error_and_a_vae_tells_images_apart(build: Any) -> None:
    model = build()
    model.compile(keras.optimizers.Adam(2e-2), run_eagerly=True)  # tracing takes longer than 28 steps
    errors = []
    for _ in range(28):
        model.reset_metrics()
        errors.append(model.train_on_batch(IMAGES, return_dict=True)["mean_squared_error"])
    assert errors[-1] < errors[0] / 2
    found = squared_error(reconstruct(model, IMAGES) / 255)
    if build is cae:
        assert found == pytest.approx(errors[-1], rel=0.2)
    else:
        assert found < errors[0] / 2
        means, log_variances = np.split(encode(model, IMAGES), 2, axis=1)
        assert latent_space.active_units(means) >= 1
        assert divergences(means, log_variances).mean() > 1


@pytest.mark.parametrize("build", [cae, vae])
def test_the_same_seed_gives_the_same_weights_and_another_does_not(build: Any) -> None:
    def weights(seed: int) -> list[np.ndarray]:
        model = build(seed=seed, steps_per_epoch=1)
        keras.utils.set_random_seed(1)
        model.run_eagerly = True
        model.train_on_batch(IMAGES[:2])
        return [weight.copy() for weight in model.get_weights()]

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    # A CAE's seed is that of its weights alone, which are drawn before; a VAE's is that of its posterior's samples too.
    assert all(np.array_equal(*pair) for pair in zip(first, other, strict=True)) == (build is cae)


def test_variances_are_learnt_through_samples() -> None:
    model = vae(beta=0.0)
    bias = model.encoder.layers[-1].bias.value
    slopes = []
    for training in (True, False):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=IMAGES, y_pred=model(IMAGES, training=training), training=training)
        slopes.append(np.abs(tape.gradient(loss, bias)) > 0)
    np.testing.assert_array_equal(slopes, [[True] * 2 * LATENT, [True] * LATENT + [False] * LATENT])
