"""The text-to-image model: its networks, its losses, its evaluator and its images."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf  # type: ignore[import-untyped]
from keras import ops

from library.sums.config import Seq2SeqConfig
from library.sums.models import glyph_networks, text_to_image

TINY = {"modality": "text-to-image", "units": 4, "filters": 1, "noise_size": 2, "warmup": 0, "steps_per_epoch": 1}
QUERIES = np.random.default_rng(0).integers(0, 13, (10, 5), dtype=np.int32)
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8)
pytestmark = pytest.mark.usefixtures("eager")


def built(evaluator: keras.Model, **fields: Any) -> text_to_image.TextToImage:
    """A model whose teacher is untrained."""
    keras.utils.set_random_seed(0)
    config = Seq2SeqConfig(**{**TINY, **fields})
    teacher = glyph_networks.glyph_reader(1, 13) if config.handwriting == "varied" else None
    return text_to_image.build(config, evaluator, teacher)


def reader() -> keras.Model:
    """An untrained glyph reader."""
    keras.utils.set_random_seed(1)
    return glyph_networks.glyph_reader(1, 13)


def filled(ink: bool, **fields: Any) -> text_to_image.TextToImage:
    """Draws nothing but ink, or none; its evaluator reads 1 where there is more ink than ground, and 0 elsewhere."""
    image = keras.Input((28, 28))
    mean = ops.mean(image, axis=(1, 2))
    model = built(keras.Model(image, ops.stack([255 - mean, mean], axis=-1)), **fields)
    last = model.network.get_layer("glyph_decoder").layers[-1]
    kernel, bias = last.get_weights()
    last.set_weights([0 * kernel, 0 * bias + (99 if ink else -99)])
    return model


def targets(ids: np.ndarray) -> dict[str, np.ndarray]:
    return {"ids": ids.astype(np.int32), "images": np.full((*ids.shape, 28, 28), 128, dtype=np.uint8)}


@pytest.mark.parametrize("filters", [1, 5])
def test_a_reader_maps_images_to_logits_past_its_features_and_a_decoder_codes_to_images(filters: int) -> None:
    model = glyph_networks.glyph_reader(filters, 7)
    assert model(IMAGES).shape == (3, 7)
    assert model.layers[-2].name == "features"
    assert model.get_layer("features").output.shape == (None, glyph_networks.FEATURES)
    convolutions = [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert convolutions == [filters, 2 * filters, 4 * filters]
    codes = 1e3 * np.random.default_rng(0).normal(size=(3, 9))
    images = glyph_networks.glyph_decoder(filters, 9)(codes).numpy()
    assert images.shape == (3, 28, 28)
    assert 0 <= images.min() < images.max() <= 1
    selected = glyph_networks.select_characters(reader(), "0123456789+- ", "-0 ")
    np.testing.assert_array_equal(selected(IMAGES), reader()(IMAGES).numpy()[:, [11, 0, 12]])


def test_the_energy_score_prefers_the_true_distribution_to_its_mean_and_is_almost_0_for_equal_images() -> None:
    for shapes in ([(5, 1)], [(5, 4, 4, 2), (5, 7)]):
        images = (np.random.default_rng(0).normal(size=shape) for shape in shapes)
        layers = [ops.convert_to_tensor(np.concatenate([image] * 3)) for image in images]
        assert 0 < float(text_to_image.energy_score(layers)) < 1e-3 * len(layers)
    real, first, second = np.random.default_rng(0).normal(size=(3, 50_000))
    true, narrow, mean = (
        float(text_to_image.energy_score([np.concatenate([width * first, width * second, real])[:, np.newaxis]]))
        for width in (1, 0.5, 0)
    )
    # E|x - y| - E|x - x'| / 2 for standard normals, and E|y|.
    assert true == pytest.approx(1 / np.sqrt(np.pi), rel=0.02)
    assert mean == pytest.approx(np.sqrt(2 / np.pi), rel=0.02)
    assert true < narrow < mean


@pytest.mark.parametrize(
    ("points", "gradient"), [([1, 1, 3], [-0.5, -0.5, 1]), ([1, 5, 3], [0, 0, 0]), ([2, 2, 2], [0, 0, 0])]
)
def test_the_energy_score_has_a_gradient_even_where_images_are_equal(
    points: list[float], gradient: list[float]
) -> None:
    drawn = tf.Variable(np.array(points, dtype=np.float32)[:, np.newaxis])
    with tf.GradientTape() as tape:
        loss = text_to_image.energy_score([drawn])
    assert tape.gradient(loss, drawn).numpy()[:, 0] == pytest.approx(gradient, abs=1e-5)


@pytest.mark.parametrize("handwriting", ["varied", "mean"])
@pytest.mark.parametrize("character_loss", [1.0, 0.0])
def test_drawings_repeat_with_the_seed_and_a_step_changes_the_network_and_no_reader(
    handwriting: str, character_loss: float
) -> None:
    evaluator = reader()
    model = built(evaluator, handwriting=handwriting, character_loss=character_loss)
    first, again, other = (
        text_to_image.draw(model.inference_model, QUERIES, np.random.default_rng(seed), 1.0) for seed in (0, 0, 1)
    )
    assert (first.shape, first.dtype) == ((10, 3, 28, 28), np.uint8)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() == (handwriting == "varied")
    assert len(model.trainable_variables) == len(model.network.weights)
    readers = [evaluator, *([model.teacher] if model.teacher else [])]
    before = [[weight.copy() for weight in one.get_weights()] for one in (*readers, model.network)]
    metrics = model.fit(QUERIES, targets(QUERIES[:, :3]), batch_size=10, verbose=0).history
    assert sorted(metrics) == ["exact_match", "loss"]
    assert np.isfinite(metrics["loss"]).all()
    *kept, trained = [
        [bool((now != then).any()) for now, then in zip(one.get_weights(), old, strict=True)]
        for one, old in zip((*readers, model.network), before, strict=True)
    ]
    assert not any(map(any, kept))
    assert all(trained)


def test_weight_decay_excludes_the_glyph_decoder() -> None:
    model = built(reader(), weight_decay=10, learning_rate=0.05)
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    model.optimizer.apply([ops.zeros_like(v) for v in model.trainable_variables], model.trainable_variables)
    decayed = {v.path for v in model.trainable_variables if (v.numpy() != before[v.path]).any()}
    excluded = {v.path for v in model.network.get_layer("glyph_decoder").weights}
    assert decayed == {path for path in before if not path.endswith("bias")} - excluded


@pytest.mark.parametrize(("handwriting", "ink"), [("varied", True), ("mean", False)])
def test_an_exact_match_needs_the_evaluator_to_read_every_character(handwriting: str, ink: bool) -> None:
    model = filled(ink, handwriting=handwriting)
    ids = np.full((10, 3), int(ink))
    ids[8:, 1] = 1 - ids[8:, 1]
    for some, share in ((slice(10), 0.8), (slice(8), 1.0), (slice(8, 10), 0.0)):
        scores = model.evaluate(QUERIES[some], targets(ids[some]), verbose=0, return_dict=True)
        assert scores["exact_match"] == pytest.approx(share)
    trained = model.fit(QUERIES, targets(ids), batch_size=10, verbose=0, shuffle=False).history
    assert trained["exact_match"] == [1.0]  # of a training batch it reads 8


def test_the_average_is_scored_by_its_squared_error() -> None:
    model = filled(ink=True, handwriting="mean", character_loss=0)
    assert model.evaluate(QUERIES, targets(QUERIES[:, :3]), verbose=0)[0] == pytest.approx((1 - 128 / 255) ** 2)


@pytest.mark.parametrize("character_loss", [1.0, 0.0])
def test_while_training_the_true_characters_are_drawn(character_loss: float) -> None:
    model = built(reader(), handwriting="mean", character_loss=character_loss)
    codes, *logits = model(QUERIES)
    right = targets(QUERIES[:, :3])
    loss, other = (float(model.compute_loss(y=right, y_pred=[some, *logits])) for some in (codes, 1 - codes))
    assert (loss == other) == bool(character_loss)
