"""GAN: two opponents with a loss each, a rate each, and an average that draws."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf  # type: ignore[import-untyped]
from keras import ops

from library.cats.config import CatsConfig, GanConfig
from library.cats.data import dataset
from library.cats.models import blocks, gan
from library.cats.models.gan import NOISE, Gan, TwoRates
from library.cats.models.samplers import fit_mixture

LATENT = 4
TINY = {
    "filters": "4-4-4", "discriminator_filters": "4-4-4", "hidden": 6, "latent_size": LATENT, "pretraining": 0,
    "validation_samples": 10, "warmup": 0, "schedule": "constant", "epochs": 4, "steps_per_epoch": 1,
    "augment": False, "averaging": 0,
}  # fmt: skip
IMAGES = dataset.load(CatsConfig(images=60)).train[:8]
DRAWN = np.random.default_rng(0).random(IMAGES.shape, dtype=np.float32)


def built(**fields: Any) -> Gan:
    keras.utils.set_random_seed(0)
    model = gan.build(GanConfig(**{**TINY, **fields}))
    model.run_eagerly = True
    return model


def weights(network: keras.Model) -> list[np.ndarray]:
    return [weight.copy() for weight in network.get_weights()]


def softplus(verdicts: np.ndarray) -> float:
    return float(np.log1p(np.exp(verdicts)).mean())


def slopes(model: Gan, variables: list[Any]) -> list[np.ndarray]:
    """Of the loss of real images and a batch of the generator's, from the same noise each time."""
    noise = np.random.default_rng(1).normal(size=(len(IMAGES), LATENT)).astype(np.float32)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=IMAGES, y_pred=model.generator(noise))
    return [ops.convert_to_numpy(one) for one in tape.gradient(loss, [variable.value for variable in variables])]


@pytest.mark.parametrize(("loss", "augment"), [("relativistic", False), ("plain", False), ("plain", True)])
def test_both_losses_are_those_of_their_papers_and_see_changed_images_where_asked_for(
    loss: str, augment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gan, "augment", lambda images, _: 1 - images)
    model = built(loss=loss, penalty=0, augment=augment)
    real, drawn = (
        np.asarray(model.discriminator(1 - one if augment else one)).astype(np.float64)
        for one in (IMAGES / np.float32(255), DRAWN)
    )
    expected = {
        "relativistic": softplus(drawn - real) + softplus(real - drawn),
        "plain": softplus(-real) + softplus(drawn) + softplus(-drawn),
    }[loss]
    assert float(model.compute_loss(x=IMAGES, y_pred=ops.convert_to_tensor(DRAWN))) == pytest.approx(expected, rel=1e-5)
    assert float(model.discriminator_accuracy.result()) == (real > drawn).mean()


@pytest.mark.parametrize("loss", ["relativistic", "plain"])
@pytest.mark.parametrize("opponent", ["generator", "discriminator"])
def test_a_loss_reaches_the_weights_of_its_own_network_alone(loss: str, opponent: str) -> None:
    model = built(loss=loss, penalty=0)
    variables = getattr(model, opponent).trainable_variables
    found = slopes(model, variables)
    noise = np.random.default_rng(1).normal(size=(len(IMAGES), LATENT)).astype(np.float32)
    with tf.GradientTape() as tape:
        real, drawn = model.discriminator(IMAGES.astype(np.float32) / 255), model.discriminator(model.generator(noise))
        terms = {
            ("relativistic", "generator"): [real - drawn],
            ("relativistic", "discriminator"): [drawn - real],
            ("plain", "generator"): [-drawn],
            ("plain", "discriminator"): [-real, drawn],
        }[loss, opponent]
        own = sum(tf.reduce_mean(tf.math.softplus(term)) for term in terms)
    expected = [one.numpy() for one in tape.gradient(own, [weight.value for weight in variables])]
    assert max(np.abs(one).max() for one in expected) > 1e-4
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-7)


def test_the_penalty_is_the_discriminators_own_and_grows_with_its_weight() -> None:
    models = [built(penalty=penalty) for penalty in (100.0, 1.0, 0.0)]
    hundred, one, none = (float(model.compute_loss(x=IMAGES, y_pred=ops.convert_to_tensor(DRAWN))) for model in models)
    assert none < one < hundred
    assert hundred - none == pytest.approx(100 * (one - none), rel=1e-2)
    judges, drawers = (
        [slopes(model, getattr(model, opponent).trainable_variables) for model in models[::2]]
        for opponent in ("discriminator", "generator")
    )
    assert any(np.abs(a - b).max() > 1e-2 for a, b in zip(*judges, strict=True))
    for ours, theirs in zip(*drawers, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-7)


def test_the_penalty_is_half_the_squared_gradient_of_a_verdict() -> None:
    """Of a linear discriminator it is known: the squared norm of its weights."""
    model = built(penalty=10.0)
    image, verdict = keras.Input((75, 75, 3)), keras.layers.Dense(1)
    model.discriminator = keras.Model(image, verdict(keras.layers.Flatten()(image)))
    verdict.set_weights([np.random.default_rng(0).normal(size=(75 * 75 * 3, 1)) / 100, np.zeros(1)])
    images = np.repeat(IMAGES, 50, axis=0)
    same = ops.convert_to_tensor(images / np.float32(255))
    penalties = [float(model.compute_loss(x=images, y_pred=same)) - 2 * np.log(2) for _ in range(8)]
    # A mean of the squares of normal numbers: one for each of a quarter of the images.
    expected = 10 / 2 * float((verdict.kernel.numpy() ** 2).sum())
    assert np.mean(penalties) == pytest.approx(expected, rel=4 * np.sqrt(2 / (len(penalties) * len(images) / 4)))


@pytest.mark.parametrize(("count", "penalty", "expected"), [(8, 0.0, 0), (5, 1.0, 2), (1, 1.0, 1)])
def test_a_quarter_of_the_real_images_is_also_shown_noisy_where_that_is_penalised(
    count: int, penalty: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = built(penalty=penalty)
    shown: list[np.ndarray] = []
    judge = model.discriminator.call

    def watched(images: Any, **options: Any) -> Any:
        shown.append(np.asarray(images))
        return judge(images, **options)

    monkeypatch.setattr(model.discriminator, "call", watched)
    model.compute_loss(x=IMAGES[:count], y_pred=ops.convert_to_tensor(DRAWN[:count]))
    by_discriminator, by_generator = shown
    real, drawn, noisy = np.split(by_discriminator, [count, 2 * count])
    np.testing.assert_array_equal(real, IMAGES[:count] / np.float32(255))
    np.testing.assert_array_equal(drawn, DRAWN[:count])
    np.testing.assert_array_equal(by_generator, DRAWN[:count])
    assert len(noisy) == expected
    for one, image in zip(noisy, real, strict=False):
        assert (one - image).mean() == pytest.approx(0, abs=5 * NOISE / np.sqrt(image.size))
        assert (one - image).std() == pytest.approx(NOISE, rel=0.03)


def test_steps_are_those_of_adam_with_a_short_memory_and_a_rate_for_each_variable() -> None:
    variables = [keras.Variable(np.zeros(3)) for _ in range(3)]
    optimizer = TwoRates(0.1, [1.0, 4.0, 0.5])
    optimizer.build(variables)
    optimizer.apply([ops.convert_to_tensor([2.0, -0.3, 1e-2])] * 3, variables)
    moved = np.stack([variable.numpy() for variable in variables])  # Adam's first step is its rate
    np.testing.assert_allclose(moved, np.outer([0.1, 0.4, 0.05], [-1, 1, -1]), rtol=1e-3)
    ours, theirs = (keras.Variable([1.0, 2.0]) for _ in range(2))
    optimizers = TwoRates(0.1, [3.0]), keras.optimizers.Adam(0.3, beta_1=0.5, beta_2=0.99)
    for gradient in ([1.0, -2.0], [0.5, 3.0], [-4.0, 0.1]):
        for optimizer, variable in zip(optimizers, (ours, theirs), strict=True):
            optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
    assert abs(ours.numpy() - [1, 2]).max() > 0.1


@pytest.mark.parametrize("ratio", [0.25, 8.0])
def test_the_discriminator_has_its_rate_and_the_generator_the_other(ratio: float) -> None:
    model = built(discriminator_ratio=ratio, learning_rate=1e-3)
    before = [variable.numpy().copy() for variable in model.trainable_variables]
    model.optimizer.apply([ops.ones_like(one) for one in model.trainable_variables], model.trainable_variables)
    judges = {weight.path for weight in model.discriminator.trainable_variables}
    assert {weight.path for weight in model.generator.trainable_variables} | judges == {
        variable.path for variable in model.trainable_variables
    }
    for variable, old in zip(model.trainable_variables, before, strict=True):
        rate = ratio * 1e-3 if variable.path in judges else 1e-3
        np.testing.assert_allclose(np.ptp([*(old - variable.numpy()).flat, 0]), rate, rtol=1e-3)


def test_what_draws_begins_as_the_generator_and_is_not_trained() -> None:
    model, other = built(averaging=0.9), built(seed=1)
    np.testing.assert_equal(weights(model.decoder), weights(model.generator))
    begun = [weight + 1 for weight in weights(other.generator)]
    model.load_generator_weights(begun)
    np.testing.assert_equal([weights(model.decoder), weights(model.generator)], [begun, begun])
    model.evaluate(IMAGES, verbose=0)  # of no step's average
    np.testing.assert_equal(weights(model.decoder), begun)
    model = built()
    trained = {id(weight) for weight in model.trainable_variables}
    assert trained == {id(weight) for network in (model.generator, model.discriminator) for weight in network.weights}
    assert not trained & {id(weight) for weight in model.decoder.weights}


def test_noise_takes_the_place_of_an_autoencoders_codes() -> None:
    model, other, random = built(), built(seed=1), np.random.default_rng(0)
    codes = fit_mixture(3 + random.normal(size=(50, LATENT)) @ random.normal(size=(LATENT, LATENT)), 1, seed=0)
    model.load_generator_weights(weights(other.generator), codes)
    noise = random.standard_normal((7, LATENT))
    drawn = other.generator((codes.means[0] + noise @ codes.factors[0].T).astype(np.float32))
    np.testing.assert_allclose(model.generator(noise.astype(np.float32)), drawn, atol=1e-5)
    np.testing.assert_equal(weights(model.decoder), weights(model.generator))


@pytest.mark.parametrize("averaging", [0.0, 0.6])
def test_what_draws_is_the_generators_running_average(averaging: float) -> None:
    model = built(averaging=averaging, learning_rate=1e-2)
    model.optimizer.build(model.trainable_variables)
    expected: list[np.ndarray] = []
    for step in range(4):
        slope = [ops.cast(step - 1.5, "float32") * ops.ones_like(one) for one in model.trainable_variables]
        model.optimizer.apply(slope, model.trainable_variables)
        now = weights(model.generator)
        # The first step's weights are the first average.
        expected = (
            [averaging * old + (1 - averaging) * new for old, new in zip(expected, now, strict=True)] if step else now
        )
    model.evaluate(IMAGES, verbose=0)
    for ours, theirs in zip(weights(model.decoder), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert all(np.array_equal(*pair) for pair in zip(now, expected, strict=True)) == (averaging == 0)


def test_as_many_images_are_drawn_as_there_are_real_ones_and_never_twice_the_same() -> None:
    first, again, other = built(seed=1), built(seed=1), built(seed=2)
    images = first(IMAGES).numpy()
    assert images.shape == IMAGES.shape
    np.testing.assert_array_equal(images, again(IMAGES))
    assert (images != other(IMAGES).numpy()).any()
    assert (images != first(IMAGES).numpy()).any()
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(IMAGES)


@pytest.mark.slow
def test_training_brings_the_colours_of_samples_to_those_of_the_data() -> None:
    orange = np.broadcast_to(np.array([230, 100, 30], dtype=np.uint8), (320, 75, 75, 3))
    model = built(averaging=0.8, learning_rate=3e-3)  # a third of it swings on some processors
    drawn = [np.asarray(model.decoder(model.noise))]
    model.run_eagerly = False
    model.fit(orange, batch_size=8, verbose=0, epochs=4)
    model.evaluate(IMAGES, verbose=0)
    drawn.append(np.asarray(model.decoder(model.noise)))
    before, after = (np.abs(images.mean(axis=(0, 1, 2)) - orange[0, 0, 0] / 255).max() for images in drawn)
    assert before > 0.3
    assert after < before / 2, (before, after)


@pytest.mark.parametrize(
    ("filters", "against", "hidden", "upsampling"),
    [("2-3-5", "3-2-4-1", 0, "bilinear"), ("2-3-5-7", "2-2-3", 6, "transposed")],
)
def test_the_networks_are_those_of_the_blocks(filters: str, against: str, hidden: int, upsampling: str) -> None:
    model = built(filters=filters, discriminator_filters=against, hidden=hidden, upsampling=upsampling)
    judge = blocks.encoder(against, 1, residuals=0, activation="leaky_relu", hidden=hidden)
    drawer = blocks.decoder(filters, LATENT, residuals=0, activation="silu", upsampling=upsampling)
    assert [one.shape for one in weights(model.discriminator)] == [one.shape for one in weights(judge)]
    for network in (model.generator, model.decoder):
        assert [one.shape for one in weights(network)] == [one.shape for one in weights(drawer)]
