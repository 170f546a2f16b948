"""The image-to-text model: its loss, its metrics, its weight decay and its inference model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from library.sums.config import Seq2SeqConfig
from library.sums.models import image_to_text

TINY = {"modality": "image-to-text", "units": 4, "filters": 1, "warmup": 0, "steps_per_epoch": 1}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "answers alone": {"character_loss": 0},
    "one-hot": {"embedding_size": 0},
    "one-hot, answers alone": {"embedding_size": 0, "character_loss": 0},
    "products": {"operators": "*"},
    "as written": {"padding": "right", "reading_order": "as-written", "answer_order": "as-written"},
}
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 28, 28), dtype=np.uint8)
LOGITS = {
    "answer": np.array([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 4.0], [1.0, 0.0, 0.0]]]),
    "query": np.array([[[0.0, 3.0]], [[5.0, 0.0]]]),
}
pytestmark = pytest.mark.usefixtures("eager")


def built(**fields: Any) -> image_to_text.ImageToText:
    keras.utils.set_random_seed(0)
    return image_to_text.build(Seq2SeqConfig(**{**TINY, **fields}))


def targets(model: image_to_text.ImageToText) -> dict[str, np.ndarray]:
    (_, length, characters), random = model.network.outputs[0].shape, np.random.default_rng(1)
    lengths = {"answer": length, "query": 5}
    return {name: random.integers(0, characters, (6, n), dtype=np.int32) for name, n in lengths.items()}


@pytest.mark.parametrize("weight", [0, 0.5, 3])
def test_the_loss_is_that_of_answers_plus_the_weighted_one_of_queries(weight: float) -> None:
    ids = {"answer": np.array([[0, 2], [2, 1]]), "query": np.array([[1], [1]])}
    model = image_to_text.ImageToText(built().network, weight)
    loss = model.compute_loss(y=ids, y_pred=(LOGITS["answer"], LOGITS["query"]), training=False)
    chances = {kind: np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True) for kind, logits in LOGITS.items()}
    right = {kind: np.take_along_axis(chances[kind], ids[kind][..., np.newaxis], axis=-1) for kind in ids}
    expected = -np.log(right["answer"]).mean() - weight * np.log(right["query"]).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("character_loss", [2, 0])
def test_while_training_answers_are_given_the_true_characters(character_loss: float) -> None:
    model = built(character_loss=character_loss)
    right = targets(model)
    answered, read = (logits.numpy() for logits in model(IMAGES))
    loss, other = (float(model.compute_loss(y=right, y_pred=(some, read))) for some in (answered, answered[::-1]))
    assert (loss == other) == bool(character_loss)
    # With the recognised characters as the truth, the loss is the same in both modes.
    right["query"] = read.argmax(axis=-1)
    losses = (float(model.compute_loss(y=right, y_pred=(answered, read), training=mode)) for mode in (True, False))
    assert next(losses) == pytest.approx(next(losses), rel=1e-5)


def test_an_answer_counts_as_a_whole_and_a_query_by_its_characters() -> None:
    model = built()
    for answers, read, expected in (
        ([[0, 1], [2, 0]], [[1], [0]], (1.0, 1.0)),
        ([[0, 1], [2, 1]], [[1], [1]], (0.5, 0.5)),
        ([[1, 1], [0, 0]], [[0], [1]], (0.0, 0.0)),
    ):
        model.reset_metrics()
        ids = {"answer": np.array(answers), "query": np.array(read)}
        metrics = model.compute_metrics(None, ids, tuple(map(ops.convert_to_tensor, LOGITS.values())))
        assert (float(metrics["exact_match"]), float(metrics["read_characters"])) == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_trains_a_step_and_its_inference_model_is_saved_whole(variant: str, tmp_path: Path) -> None:
    model = built(**VARIANTS[variant])
    before = [weight.copy() for weight in model.network.get_weights()]
    history = model.fit(IMAGES, targets(model), batch_size=6, verbose=0).history
    assert sorted(history) == ["exact_match", "loss", "read_characters"]
    assert np.isfinite(history["loss"]).all()
    after = model.network.get_weights()
    assert [bool((now != then).any()) for now, then in zip(after, before, strict=True)] == [True] * len(before)
    assert len(model.trainable_variables) == len(model.network.weights)
    logits = model.inference_model(IMAGES)
    assert logits.shape == ((6, 4, 12) if variant == "products" else (6, 3, 13))
    np.testing.assert_allclose(logits, model.network(IMAGES)[0], rtol=1e-6)
    model.inference_model.save(tmp_path / "network.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "network.keras")(IMAGES), logits)


@pytest.mark.parametrize("fields", [{}, {"embedding_size": 0}])
def test_each_image_is_recognised_by_itself_and_weight_decay_excludes_the_glyph_reader(fields: dict[str, Any]) -> None:
    model = built(weight_decay=10, learning_rate=0.05, **fields)
    read, turned = (model.network(images)[1].numpy() for images in (IMAGES, IMAGES[:, ::-1]))
    assert read.shape == (6, 5, 13)
    np.testing.assert_allclose(turned[:, ::-1], read, rtol=1e-4, atol=1e-6)
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    model.optimizer.apply([ops.zeros_like(v) for v in model.trainable_variables], model.trainable_variables)
    decayed = {v.path for v in model.trainable_variables if (v.numpy() != before[v.path]).any()}
    reader = {v.path for v in model.network.get_layer("glyph_reader").weights}
    assert decayed == {path for path in before if not path.endswith("bias")} - reader
