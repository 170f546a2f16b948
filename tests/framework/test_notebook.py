"""What notebooks show: a registered model with its run, and studies; one line where there is none."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial

from library import open_store
from library.framework import notebook
from library.framework.discovery import find
from library.framework.environment import PROGRAM
from library.framework.errors import NotRegistered, StoreError, UserError
from library.framework.notebook import RegisteredModel
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.store import Store
from library.framework.tuning.search import storage_of

pytestmark = pytest.mark.slow

READER = find("glyph-reader")(filters=2, epochs=3, steps_per_epoch=2, batch_size=8)


@pytest.fixture(scope="module")
def root(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a reader of characters in Production."""
    with open_store(shutil.copytree(empty_store, tmp_path_factory.mktemp("notebook") / "store")) as store:
        READER.train(store)
    return store.root


@pytest.fixture
def started(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """That store, as a notebook opens it."""
    monkeypatch.setenv("STORE", str(root))
    with plt.rc_context():
        yield notebook.start()


@pytest.fixture
def reader(started: Store) -> RegisteredModel:
    return notebook.load_registered_model("glyph-reader")


def test_a_model_comes_with_its_config_its_data_its_score_and_its_network(reader: RegisteredModel) -> None:
    assert (reader.name, reader.version, reader.stage) == ("glyph-reader", "1", "Production")
    assert reader.config == reader.experiment.config == READER.config
    assert reader.experiment.data.digest == READER.dataset_digest
    assert len(reader.model.predict(np.zeros((2, 28, 28), np.uint8))) == 2
    assert str(reader).startswith("glyph-reader version 1 in Production, trained in ")
    assert str(reader).endswith(str(reader.score))
    assert reader.network.input_shape == (None, 28, 28)
    history = reader.history()
    assert list(history.index) == [1, 2, 3]
    assert history.index.name == "epoch"
    assert {"train/loss", "val/loss", "val/accuracy"} <= set(history)
    assert history["val/loss"].iloc[-1] == reader.metrics["val/loss"]


def test_an_interval_is_the_one_that_was_kept_or_follows_from_the_standard_error(reader: RegisteredModel) -> None:
    assert reader.score is not None
    kept = (reader.score.value, reader.score.low, reader.score.high)
    assert reader.interval("test/accuracy") == pytest.approx(kept, rel=1e-4)
    other = replace(reader, metrics={"test/ssim": 0.5, "test/ssim_standard_error": 0.1})
    assert other.interval("test/ssim") == pytest.approx((0.5, 0.304, 0.696))
    with pytest.raises(KeyError, match="val/loss: glyph-reader version 1 has no interval of it"):
        reader.interval("val/loss")
    [row] = notebook.models().to_dict("records")
    assert (row["model"], row["version"], row["stage"], row["score"]) == ("glyph-reader", 1, "Production", "accuracy")
    assert (row["low"], row["high"]) == (reader.score.low, reader.score.high)


def test_tables_and_images_of_the_run_come_back_as_they_were(reader: RegisteredModel, started: Store) -> None:
    red = np.zeros((2, 3, 3), np.uint8)
    red[..., 0] = 255
    with start_run(started, "notebook", "some") as run:
        run.log_table("groups", {"group": ["all", "carry"], "queries": [3, 1]})
        for epoch in (10, 2):
            run.log_image("samples", red, step=epoch)
            run.log_image("others", 255 - red, step=epoch)
    other = replace(reader, run=run.id)
    assert other.table("groups").to_dict("list") == {"group": ["all", "carry"], "queries": [3, 1]}
    found = other.images("samples")
    assert list(found) == [2, 10]
    np.testing.assert_array_equal(found[10], red / 255)


def test_a_model_that_is_not_there_is_one_line_that_says_what_trains_it(
    started: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = f"in store {started.root}"
    for program, trains in {
        "make": "make train-seq2seq MODALITY=image-to-text",
        "cats-and-sums": "cats-and-sums train seq2seq --modality=image-to-text",
    }.items():
        monkeypatch.setenv(PROGRAM, program)
        with pytest.raises(
            NotRegistered, match=rf"^no Production version of seq2seq-image-to-text {there}; {trains} fi"
        ):
            notebook.load_registered_model("seq2seq", modality="image-to-text")
    trains = "cats-and-sums train glyph-reader"
    with pytest.raises(NotRegistered, match=rf"^no Staging version of glyph-reader {there}; {trains} first$"):
        notebook.load_registered_model("glyph-reader", "Staging")


def test_data_that_have_changed_are_refused_in_one_line(started: Store) -> None:
    known, client = READER.dataset_digest, mlflow.MlflowClient()
    client.set_model_version_tag("glyph-reader", "1", "data.digest", "other")
    try:
        with pytest.raises(UserError) as caught:
            notebook.load_registered_model("glyph-reader")
    finally:
        client.set_model_version_tag("glyph-reader", "1", "data.digest", known)
    assert str(caught.value) == f"glyph-reader version 1: was trained on data other; its config now names {known}"


def test_no_store_is_one_line_and_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STORE", raising=False)
    with pytest.raises(StoreError, match=r"^store mlruns: there is none; train or tune first, or set STORE=folder$"):
        notebook.start()
    assert list(tmp_path.iterdir()) == []


def trial(state: TrialState, units: int, values: list[float] | None, **steps: Any) -> optuna.trial.FrozenTrial:
    known = {"params": {"units": units}, "distributions": {"units": IntDistribution(1, 64)}}
    return create_trial(state=state, values=values, **known, **steps)


def test_a_study_is_a_table_of_its_trials_and_its_front(store: Store) -> None:
    assert notebook.studies() == {}
    assert not (store.root / "optuna.db").exists()
    storage = storage_of(store)
    study = optuna.create_study(storage=storage, study_name="sizes", directions=["minimize", "minimize"])
    study.set_user_attr("signature", {"objective": "val/loss, model/units"})
    optuna.create_study(storage=storage, study_name="without a trial")
    for units, loss in ((8, 0.3), (4, 0.5), (16, 0.4)):
        study.add_trial(trial(TrialState.COMPLETE, units, [loss, float(units)]))
    study.add_trial(trial(TrialState.FAIL, 2, None))
    [(name, found)] = notebook.studies().items()
    assert name == "sizes"
    assert found.objectives == {"val/loss": "minimize", "model/units": "minimize"}
    assert found.params == ["units"]
    table = found.trials()
    assert list(table) == ["trial", "state", "minutes", "val/loss", "model/units", "units"]
    assert list(table.state) == ["complete", "complete", "complete", "fail"]
    assert list(table["val/loss"])[:3] == [0.3, 0.5, 0.4]
    assert sorted(found.front()) == [0, 1]
    assert found.importances("val/loss").to_dict() == {"units": pytest.approx(1)}


def test_a_pruned_trial_has_the_value_that_it_reached(store: Store) -> None:
    study = optuna.create_study(storage=storage_of(store), study_name="pruned", direction="maximize")
    study.set_user_attr("signature", {"objective": "val/exact_match"})
    study.add_trial(trial(TrialState.COMPLETE, 8, [0.9]))
    study.add_trial(trial(TrialState.PRUNED, 4, None, intermediate_values={1: 0.2}))
    found = notebook.studies()["pruned"]
    assert list(found.trials()["val/exact_match"]) == [0.9, 0.2]
    assert found.front() == [0]
    assert found.importances("val/exact_match").empty  # of one value nothing can be said
