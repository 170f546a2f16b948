"""The LSTM encoder-decoder: shapes, orders, depth, and a registered one, here and in a clean process."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import keras
import mlflow
import numpy as np
import pytest

from experiments.seq2seq import Seq2Seq
from library import Run, load_model, open_store
from library.framework.pipeline import Outcome
from library.framework.registry.artifacts import per_example_scores
from library.framework.tracking.queries import read_json
from library.sums.config import Seq2SeqConfig
from library.sums.models import seq2seq
from tests.eager import eagerly

SMALL = {"units": 4, "epochs": 1, "steps_per_epoch": 2, "batch_size": 8}


def weights(**fields: object) -> int:
    return int(seq2seq.network(Seq2SeqConfig(**{**SMALL, **fields})).count_params())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"embedding_size": 0},
        {"bidirectional": True, "dropout": 0.5},
        {"encoder_depth": 3, "decoder_depth": 2},
        {"padding": "right", "reading_order": "as-written", "answer_order": "as-written"},
    ],
)
def test_every_variant_maps_five_ids_to_three_rows_of_logits_and_is_saved_whole(
    fields: dict[str, object], tmp_path: Path
) -> None:
    network = seq2seq.network(Seq2SeqConfig(**{**SMALL, **fields}))
    x = np.arange(20).reshape(4, 5) % 13
    logits = network(x)
    assert logits.shape == (4, 3, 13)
    network.save(tmp_path / "network.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "network.keras")(x), logits)


def test_the_network_has_its_published_size_one_shared_embedding_and_an_lstm_for_each_additional_layer() -> None:
    # LSTM(256) on 13 characters, LSTM(256), Dense(13): 4 (256 (13 + 256) + 256) + 4 (256 (256 + 256) + 256) + 257 * 13
    assert weights(units=256, embedding_size=0) == 276_480 + 525_312 + 3_341
    assert weights(embedding_size=16) - weights(embedding_size=15) == 13 + 4 * 4 + 4 + 1
    assert weights(encoder_depth=2) - weights() == weights(decoder_depth=2) - weights() == 4 * (4 * 8 + 4)


def test_pairs_are_read_from_the_ones_up_and_the_order_of_answers_reverses_the_logits() -> None:
    assert [" 7-88"[place] for place in seq2seq.PAIR_ORDER] == ["-", "7", "8", " ", "8"]
    keras.utils.set_random_seed(0)
    forwards = seq2seq.network(Seq2SeqConfig(**SMALL, answer_order="as-written"))
    backwards = seq2seq.network(Seq2SeqConfig(**SMALL, answer_order="ones-first"))
    backwards.set_weights(forwards.get_weights())
    x = np.zeros((1, 5), "int32")
    np.testing.assert_array_equal(forwards(x)[:, ::-1], backwards(x))
    ids = np.array([[1, 2, 3], [1, 2, 3]])  # an exact match needs every character
    logits = keras.ops.one_hot(np.array([[1, 2, 3], [1, 2, 4]]), 13)
    assert keras.ops.convert_to_numpy(seq2seq.exact_match(ids, logits)).tolist() == [1.0, 0.0]


@pytest.mark.nightly
def test_training_is_repeated_to_the_last_digit_by_its_seed() -> None:
    first, again = (Seq2Seq(**SMALL).fit(Run()) for _ in range(2))
    assert first.metrics == again.metrics


def test_images_of_queries_are_shown_wrong_answers_first() -> None:
    shown, run = dict[str, list[str]](), Run()
    vars(run)["log_figure"] = lambda name, figure: shown.update({name: [axes.get_title() for axes in figure.axes]})
    for modality in ("text-to-text", "image-to-text"):
        shown.clear()
        experiment = Seq2Seq(modality=modality, train_fraction=0.99)
        ids = experiment.data.test.queries.y.copy()
        ids[-3:] = (ids[-3:] + 1) % 10
        all_right_but_three = SimpleNamespace(predict=lambda *_, ids=ids, **__: np.eye(13)[ids])
        result = experiment.test(all_right_but_three, run)
        assert sum(result.per_example_scores.values()) == 197
        assert result.metrics[result.score] == 197 / 200
        assert ("readings" in shown) == (modality == "image-to-text")
    assert [", not " in title for title in shown["readings"]] == [True] * 3 + [False] * 21


@pytest.fixture(scope="module")
def registered(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """The outcome of a short training, with its store open."""
    with open_store(shutil.copytree(empty_store, tmp_path_factory.mktemp("trained") / "store")) as store:
        with eagerly():
            outcome = Seq2Seq(**SMALL, validation_fraction=0.01).train(store)
        yield outcome


def test_the_registered_model_takes_text_and_its_run_lists_every_wrong_answer_and_every_score(
    registered: Outcome,
) -> None:
    model = load_model("seq2seq-text-to-text", stage="Production")
    answers = model.predict(["45+23", " 7-88", "7 - 88"])
    assert (len(answers), answers[1]) == (3, answers[2])
    assert model.predict([f"{a}+{a}" for a in range(100)])[45] == model.predict(["45+45"])[0]
    scores = per_example_scores(registered.run)
    table = read_json(registered.run, "tables/wrong-answers.json")
    assert list(scores) == list(Seq2Seq().data.test.queries.texts)
    assert len(table["data"]) == sum(score == 0 for score in scores.values())
    assert registered.metrics["test/exact_match"] == pytest.approx(np.mean(list(scores.values())))


@pytest.mark.nightly
def test_the_registered_model_loads_in_a_clean_process_without_this_repository(
    registered: Outcome, tmp_path: Path
) -> None:
    expected = load_model("seq2seq-text-to-text").predict(["45+23", " 7-88"])
    code = """import json, sys, mlflow
model = mlflow.pyfunc.load_model('models:/seq2seq-text-to-text/Production')
assert 'library' not in sys.modules
print(json.dumps(model.predict(['45+23', ' 7-88'])))"""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert json.loads(printed.splitlines()[-1]) == expected
