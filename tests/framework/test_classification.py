"""Classifiers: what examples, a network and labels make, and what is said where these do not fit."""

import json
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from library import Classifier, Examples, Run, TrainingConfig, split
from library.framework import discovery
from library.framework.errors import UnknownMetric, UserError

SIDES = ["below", "above"]


class Sides(Classifier):
    """On which side of the diagonal a point `[2]` lies, by a line; named after this file."""

    class Config(TrainingConfig):
        scale: int = 1
        wrong: str = ""

    labels = SIDES
    trial_overrides = {"epochs": 1}

    def load(self) -> Examples:
        x = np.random.default_rng(0).integers(0, 200, (100, 2), dtype=np.uint8)
        y = (x[:, 1] > x[:, 0]).astype(int)
        wrong = {"texts": np.array(SIDES)[y], "too large": y + 1, "negative": -y, "of two": x.astype(int) % 2}
        return split(x, wrong.get(self.config.wrong, y))

    def build(self) -> Any:
        from keras import Sequential, layers

        from library import adamw

        outputs = 3 if self.config.wrong == "outputs" else 2
        model = Sequential([layers.Input((2,)), layers.Rescaling(1 / 200), layers.Dense(outputs)])
        model.compile(adamw(self.config), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


def test_a_worker_process_gets_an_equal_experiment_whose_model_is_named_after_its_file() -> None:
    copy = pickle.loads(pickle.dumps(Sides(scale=2)))  # noqa: S301
    assert (type(copy), copy.config, copy.model_name) == (Sides, Sides.Config(scale=2), "test-classification")


def test_labels_that_do_not_exist_and_a_network_without_an_output_for_each_are_found_before_work_begins() -> None:
    for wrong, got in {
        "texts": "<U5 [72] from above to below",
        "too large": "int64 [72] from 1 to 2",
        "negative": "int64 [72] from -1 to 0",
        "of two": "int64 [72, 2] from 0 to 1",
    }.items():
        allowed = r"; allowed is integers \[n\] from 0 to 1, the indices of 2 labels"
        with pytest.raises(UserError, match=rf"^y: got {re.escape(got)}{allowed}"):
            _ = Sides(wrong=wrong).dataset_digest
    with pytest.raises(UserError, match=r"^build: got outputs \(None, 3\); allowed is one for each of 2 labels$"):
        Sides(wrong="outputs").fit(Run())


def test_a_misspelled_objective_is_found_before_the_first_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    class NeverTrained(Run):
        def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
            raise AssertionError(f"epoch {step}")

    monkeypatch.setattr(Sides, "objectives", {"val/acuracy": "maximize"})
    known = "train/loss, train/accuracy, val/loss, val/accuracy"
    with pytest.raises(UnknownMetric) as raised:
        Sides().fit(NeverTrained())
    assert str(raised.value) == (f"unknown objective 'val/acuracy'; did you mean val/accuracy? The metrics are {known}")


def test_the_score_is_the_share_that_is_right_and_examples_are_named_with_their_data() -> None:
    answers = np.eye(2)[[0, 1, 1, 0]]
    model: Any = SimpleNamespace(predict=lambda *_, **__: answers)
    sides = Sides()
    result = sides.evaluate(model, (np.zeros((4, 2)), np.array([0, 1, 0, 0])), Run())
    assert result.metrics["test/accuracy"] == 0.75
    assert 0.3 < result.metrics["test/accuracy_low"] < 0.75 < result.metrics["test/accuracy_high"] < 1
    scores = zip(range(4), (1.0, 1.0, 0.0, 1.0), strict=True)
    assert result.per_example_scores == {f"{i} in {sides.dataset_digest}": score for i, score in scores}


def test_a_query_is_a_list_or_a_file_of_one_example(tmp_path: Path) -> None:
    one = np.array([3, 200], dtype=np.uint8)
    np.save(tmp_path / "one.npy", one)
    for query in (json.dumps(one.tolist()), "[3.0, 2e2]", str(tmp_path / "one.npy")):
        given = Sides().parse_query(query, "").input
        assert given.dtype == np.uint8
        np.testing.assert_array_equal(given, [one])


def test_an_example_of_another_shape_or_type_and_what_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.npy").touch()
    unreadable = ['["a","b"]', "[1,null]", "[[1],2]", '{"a":1}', "[1,", f"[1,{10**30}]", "no.npy"]
    others = ["", "3", "[3]", "[[3,4]]", "[1,256]", "[1,-1]", "[1,0.5]", "[1,NaN]", "[1,1e400]"]
    for queries, told in (
        ([*unreadable, str(tmp_path / "empty.npy")], r"cannot be read \("),
        (others, r"allowed is uint8 \[2\], as a list"),
    ):
        for query in queries:
            with pytest.raises(ValueError, match=rf"^query: .*{told}.*$"):
                Sides().parse_query(query, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": got none; allowed is one class of Experiment that the file defines"),
        ("from tests.tiny import Tiny", ": got none; allowed is one class of Experiment that the file defines"),
        (
            "from library import Experiment\nclass A(Experiment): ...\nclass B(A): ...",
            ": got A, B; allowed is one class",
        ),
        ("from library import Classifier\nclass A(Classifier): ...", ".A has no Config; an experiment needs one"),
    ],
)
def test_a_file_without_one_experiment_is_refused(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strangers").mkdir()
    (tmp_path / "strangers" / "__init__.py").touch()
    (tmp_path / "strangers" / "odd.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("strangers", "strangers.odd"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(UserError, match=rf"^strangers\.odd{message}"):
        discovery.find("odd", "strangers")
