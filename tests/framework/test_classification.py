"""Classifiers: what examples, a network and labels make, and what they are told where these do not fit."""

import json
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from library.framework import classification, discovery
from library.framework.config import TrainingConfig
from library.framework.errors import UserError
from library.framework.run import Run
from library.framework.training.splits import Examples, split

SIDES = ["below", "above"]


class Config(TrainingConfig):
    """Of this file, after which the model is named."""

    scale: int = 1
    wrong: str = ""


def load(config: Config) -> Examples:
    """Points `[2]` and whether they lie above the diagonal."""
    x = np.random.default_rng(0).integers(0, 200, (100, 2), dtype=np.uint8)
    y = (x[:, 1] > x[:, 0]).astype(int)
    wrong = {"texts": np.array(SIDES)[y], "too large": y + 1, "negative": -y, "of two": x.astype(int) % 2}
    return split(x, wrong.get(config.wrong, y))


def build(config: Config) -> Any:
    """A line."""
    from keras import Sequential, layers

    from library.framework.training.optimizers import adamw

    outputs = 3 if config.wrong == "outputs" else 2
    model = Sequential([layers.Input((2,)), layers.Rescaling(1 / 200), layers.Dense(outputs)])
    model.compile(adamw(config), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


experiment = classification.experiment(config=Config, load=load, build=build, labels=SIDES, trial={"epochs": 1})


def refused(query: str) -> str:
    """The one line that a question gets which is none."""
    with pytest.raises(ValueError, match=r"^query: ") as caught:
        experiment.ask(Config(), query, "")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_it_equals_its_copy_in_a_worker_process() -> None:
    assert pickle.loads(pickle.dumps(experiment)) == experiment  # noqa: S301


def test_its_model_is_named_after_the_file_of_its_config() -> None:
    assert experiment.model_name(Config()) == "test-classification"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("texts", "y: got <U5 [72] from above to below; allowed is integers [n] from 0 to 1, the places of 2 labels"),
        ("too large", "y: got int64 [72] from 1 to 2; allowed is integers [n] from 0 to 1"),
        ("negative", "y: got int64 [72] from -1 to 0; allowed is integers [n] from 0 to 1"),
        ("of two", "y: got int64 [72, 2] from 0 to 1; allowed is integers [n] from 0 to 1"),
    ],
)
def test_labels_that_there_are_not_are_found_before_work_begins(wrong: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        experiment.digest(Config(wrong=wrong))
    assert str(caught.value).startswith(told)


def test_a_network_needs_an_output_for_each_label() -> None:
    with pytest.raises(UserError, match=r"^build: got outputs \(None, 3\); allowed is one for each of 2 labels$"):
        experiment.train(Config(wrong="outputs"), Run(), ())


def test_scores_tell_the_share_that_is_right_and_name_each_example_with_its_data() -> None:
    answers = np.eye(2)[[0, 1, 1, 0]]
    model: Any = SimpleNamespace(predict=lambda *_, **__: answers)
    scores = classification.score(model, np.zeros((4, 2)), np.array([0, 1, 0, 0]), SIDES, "abc", Run())
    assert scores.metrics["test/accuracy"] == 0.75
    assert 0.3 < scores.metrics["test/accuracy_low"] < 0.75 < scores.metrics["test/accuracy_high"] < 1
    assert scores.outcomes == {"0 in abc": 1.0, "1 in abc": 1.0, "2 in abc": 0.0, "3 in abc": 1.0}


def test_a_question_is_a_list_or_a_file_of_one_example(tmp_path: Path) -> None:
    one = np.array([3, 200], dtype=np.uint8)
    np.save(tmp_path / "one.npy", one)
    for query in (json.dumps(one.tolist()), "[3.0, 2e2]", str(tmp_path / "one.npy")):
        asked = experiment.ask(Config(), query, "").input
        assert asked.dtype == np.uint8
        np.testing.assert_array_equal(asked, [one])


@pytest.mark.parametrize("query", ["", "3", "[3]", "[[3,4]]", "[1,256]", "[1,-1]", "[1,0.5]", "[1,NaN]", "[1,1e400]"])
def test_what_is_not_of_the_shape_or_type_learnt_from_is_refused(query: str) -> None:
    assert "allowed is uint8 [2], as a list" in refused(query)


@pytest.mark.parametrize("query", ['["a","b"]', "[1,null]", "[[1],2]", '{"a":1}', "[1,", f"[1,{10**30}]", "no.npy"])
def test_what_are_no_numbers_is_refused(query: str) -> None:
    assert "cannot be read (" in refused(query)


def test_a_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.npy").touch()
    assert "cannot be read (" in refused(str(tmp_path / "empty.npy"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "strangers.odd has no 'experiment': it is what the file is there for"),
        (
            "from tests.framework.test_classification import experiment",
            "config: got tests.test_classification.Config; allowed is a class that strangers.odd defines",
        ),
    ],
)
def test_a_file_that_lacks_what_it_is_there_for_is_told_so(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strangers").mkdir()
    (tmp_path / "strangers" / "__init__.py").touch()
    (tmp_path / "strangers" / "odd.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("strangers", "strangers.odd"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(UserError) as caught:
        discovery.find("odd", "strangers")
    assert str(caught.value) == told
