"""The Experiment class: its name, its config, its data, and `train` with any Keras callback."""

import json
from typing import Any

import keras
import mlflow
import pytest

from library import Config, Experiment, Field, TestResult, load_model
from library.framework import discovery
from library.framework.errors import UserError
from library.framework.tracking.queries import metric_history
from library.framework.tracking.store import Store
from tests.tiny import Tiny


class Places(list[str]):
    """Data whose digest counts how often it was computed."""

    digests = 0

    @property
    def digest(self) -> str:
        self.digests += 1
        return f"{self[0]} {self.digests}"


class Forecast(Experiment):
    """Named after this file; a network's features are part of its objective and of its models' names."""

    class Config(Config):
        features: str = Field("small", description="which network")
        place: str = Field("here", description="what the data depend on")

    objectives = {"val/kid_{features}": "minimize"}
    naming_fields = ("features",)
    data_fields = ("place",)

    def load(self) -> Any:
        return Places([self.config.place])


def test_names_follow_the_file_and_the_config_which_is_made_of_fields_or_of_a_runs_params() -> None:
    for features in ("small", "large"):
        experiment = Forecast(features=features)
        assert (experiment.name, experiment.model_name) == ("test-experiment", f"test-experiment-{features}")
        assert experiment.resolved_objectives == {f"val/kid_{features}": "minimize"}
    assert Forecast().config == Forecast.Config()
    assert Forecast.from_params({"place": "there", "setting": "of a model"}).config == Forecast.Config(place="there")
    with pytest.raises(UserError, match=r"^unknown field 'plaec'; did you mean place\?$"):
        Forecast(plaec="there")


def test_data_are_loaded_once_and_reused_where_they_depend_on_equal_fields() -> None:
    first = Forecast(features="small")
    assert first.data is first.data
    assert Forecast(features="large").reuse(first).data is first.data
    assert Forecast(place="there").reuse(first).data == ["there"]


def test_data_are_digested_once_however_often_the_digest_is_used() -> None:
    experiment = Forecast()
    assert [experiment.dataset_digest for _ in range(3)] == ["here 1"] * 3


def test_a_file_is_described_by_its_docstring(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "described").mkdir()
    (tmp_path / "described" / "a_b.py").write_text('"""What it is."""')
    monkeypatch.syspath_prepend(tmp_path)
    assert [discovery.description(name, "described") for name in ("a-b", "none")] == ["What it is.", ""]


def test_an_experiment_is_trained_in_full_with_any_callback_of_keras(store: Store) -> None:
    seen: list[int] = []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: seen.append(epoch))
    stop = keras.callbacks.EarlyStopping("val_loss", min_delta=1e9, patience=1)
    outcome = Tiny(units=2, epochs=9, learning_rate=0.0012345678).train(store, [count, stop])
    assert seen == [0, 1]
    assert (outcome.experiment, outcome.model, outcome.version, outcome.stage) == ("tiny", "tiny", "1", "Production")
    assert outcome.reason == "the first version: there was no champion to beat"
    run = mlflow.get_run(outcome.run)
    assert (run.info.run_name, run.info.status) == ("epochs 9, learning_rate 0.0012346, units 2", "FINISHED")
    assert {"model": "tiny", "version": "1", "stage": "Production"}.items() <= run.data.tags.items()
    metrics = {"train/loss", "val/loss", "test/accuracy", "model/parameters", "time/training_seconds"}
    interval = {"test/accuracy_low", "test/accuracy_high"}  # of the scores of the examples
    assert outcome.metrics.keys() - interval == metrics <= run.data.metrics.keys()
    assert (
        outcome.metrics["test/accuracy_low"] < outcome.metrics["test/accuracy"] < outcome.metrics["test/accuracy_high"]
    )
    with pytest.raises(UserError, match=r"^score: got 'test/b'; allowed are the metrics: test/a$"):
        TestResult({"test/a": 0.5}, {}, "test/b")
    assert load_model("tiny").predict(["?"]) == ["2"]
    assert run.data.tags["command"] == "make train-tiny EPOCHS=9 LEARNING_RATE=0.0012345678 UNITS=2"
    assert run.data.tags["best_epoch"] in ("1", "2")
    steps = {name: [*metric_history(outcome.run, name)] for name in metrics}
    assert steps == {name: [0] for name in metrics} | {"train/loss": [1, 2], "val/loss": [1, 2]}  # bars, and curves
    experiment = mlflow.get_experiment(run.info.experiment_id)
    link = f"[Runs with their scores](#/experiments/{experiment.experiment_id}/runs?viewStateShareKey=scores)"
    assert experiment.tags["mlflow.note.content"].strip() == link
    columns = ["metrics.`val/loss`", "metrics.`test/accuracy`", "tags.`stage`", "tags.`version`"]
    assert json.loads(experiment.tags["mlflow.sharedViewState.scores"]) == {"selectedColumns": columns}
