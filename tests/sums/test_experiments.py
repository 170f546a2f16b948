"""The experiments with sums as objects: names, data that trials share, glyph readers, and parsed queries."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from experiments.glyph_reader import GlyphReader
from experiments.seq2seq import Seq2Seq
from library import Run
from library.framework.registry import artifacts
from library.sums.config import ArithmeticConfig
from library.sums.data import handwriting, image_files
from library.sums.models import glyph_networks
from tests.photographs import compose

TINY = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 4, "filters": 1}


def test_the_model_name_tells_what_is_answered_and_how() -> None:
    products: dict[str, Any] = {"operators": "*", "handwriting": "mean"}
    assert Seq2Seq().model_name == "seq2seq-text-to-text"
    assert Seq2Seq(**products).model_name == "seq2seq-text-to-text-products"
    assert Seq2Seq(modality="image-to-text").model_name == "seq2seq-image-to-text"
    assert Seq2Seq(modality="text-to-image", **products).model_name == "seq2seq-text-to-image-products-mean"
    assert GlyphReader().model_name == GlyphReader.name == "glyph-reader"


def test_trials_share_data_where_no_field_of_the_data_differs() -> None:
    assert set(Seq2Seq.data_fields) == {*ArithmeticConfig.model_fields, "modality", "digits"} - {"seed"}
    first = Seq2Seq(train_fraction=0.1)
    assert first.data is first.data is Seq2Seq(train_fraction=0.1, units=4, seed=1).reuse(first).data
    assert Seq2Seq().reuse(first).dataset_digest != first.dataset_digest


@pytest.mark.slow
@pytest.mark.usefixtures("eager")
def test_trials_share_glyph_readers_of_the_same_digits_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = glyph_networks.glyph_reader(1, len(GlyphReader.labels))
    loaded = list[GlyphReader]()

    def load_trained_from(experiment: GlyphReader) -> SimpleNamespace:
        loaded.append(experiment)
        return SimpleNamespace(network=registered)

    monkeypatch.setattr(artifacts, "load_trained_from", load_trained_from)
    monkeypatch.setattr("library.sums.metrics.text_to_image.MAX_REPEATED", 5)
    first = Seq2Seq(**TINY, units=2, modality="text-to-image", train_fraction=0.99)
    first.dependencies = [GlyphReader(**TINY)]
    data, model = first.data, first.build()
    assert loaded == list(first.dependencies)
    assert not any("pooling" in layer.name for layer in first.teacher.layers)
    second = Seq2Seq(units=4, modality="text-to-image", train_fraction=0.99).reuse(first)
    assert (second.data, second.evaluator, second.teacher) == (data, registered, first.teacher)
    assert "teacher" not in vars(Seq2Seq(seed=1, modality="text-to-image").reuse(first))
    figures = list[str]()
    run = Run()
    run.log_figure = lambda name, _: figures.append(name)  # type: ignore[method-assign]
    metrics = first.test(model, run).metrics
    assert {"drawings", "drawings-by-people"} <= set(figures)
    assert {"test/frechet_distance", "test/spread", "test/spread_of_people", "test/judge_error"} <= set(metrics)


@pytest.mark.parametrize("modality", ["text-to-text", "image-to-text"])
def test_only_images_of_answers_need_a_glyph_reader(modality: str) -> None:
    assert Seq2Seq(modality=modality).dependencies == []
    [reader] = Seq2Seq(modality="text-to-image", digits="mnist").dependencies
    assert reader.config == GlyphReader.Config(digits="mnist")
    assert Seq2Seq(modality=modality).num_threads == (1 if modality == "text-to-text" else None)


@pytest.mark.slow
@pytest.mark.usefixtures("eager")
def test_a_glyph_reader_is_scored_on_digits_alone() -> None:
    reader = GlyphReader(**TINY)
    result = reader.test(reader.fit(Run()).model, Run())
    assert result.metrics["test/examples"] == 359  # of 1,797
    assert result.metrics[result.score] == np.mean(list(result.per_example_scores.values()))


def test_a_query_is_a_text_or_an_image(tmp_path: Path) -> None:
    path, answer = str(tmp_path / "query.png"), np.zeros((3, 28, 28), np.uint8)
    image_files.write(np.zeros((5, 28, 28), np.uint8), Path(path))
    assert Seq2Seq().parse_query("45+23", "").input == ["45+23"]
    assert Seq2Seq(modality="image-to-text").parse_query(path, "").input.shape == (1, 5, 28, 28)
    request = Seq2Seq(modality="text-to-image").parse_query("45+23", str(tmp_path / "answer.png"), 7)
    assert (request.input, request.params) == (["45+23"], {"seed": 7})
    assert request.show([answer]) == str(tmp_path / "answer.png")
    np.testing.assert_array_equal(image_files.read(request.show([answer]), 3), answer)
    strip = Seq2Seq(modality="image-to-text")
    for experiment, query in ((Seq2Seq(), "45+23"), (strip, path)):
        with pytest.raises(
            ValueError, match=r"^out: got 'x.png', but the answer is a text and is printed; leave it out$"
        ):
            experiment.parse_query(query, "x.png")


def test_a_photograph_is_answered_beside_the_characters_cut_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    characters = "0123456789+- "
    ids = np.array([characters.index(one) for one in "45+23"])
    images = handwriting.load("scikit-learn", characters).test.draw(ids, np.random.default_rng(0))
    cv2.imwrite("photo.jpg", compose(images, 0))
    reader = Seq2Seq(modality="image-to-text")
    for out, written in (("", "photo-characters.png"), ("other.png", "other.png")):
        request = reader.parse_query("photo.jpg", out)
        assert request.show(["68"]) == f"68  (read from {written})"
        np.testing.assert_array_equal(reader.parse_query(written).input, request.input)
