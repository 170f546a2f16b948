"""Trainings, trials and comparisons that are killed: the same command goes on in the same run."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import mlflow
import numpy as np
import pytest
from filelock import FileLock

from library import Comparison, EpochCallback, Run, TrainingResult, open_store
from library.framework.errors import NotFinite
from library.framework.options import StudyOptions
from library.framework.pipeline import Outcome
from library.framework.run import Callbacks
from library.framework.tracking.queries import metric_history
from library.framework.tracking.store import Store
from library.framework.tracking.training_run import start_training
from library.framework.training import callbacks, checkpoints, resuming
from library.framework.tuning.search import Search
from library.framework.tuning.study import tune
from tests import tiny
from tests.tiny import Tiny

ROOT = Path(__file__).parents[2]
TRAIN = """
import sys
from library import open_store
from tests.tiny import Tiny

with open_store(sys.argv[1]) as store:
    Tiny(epochs=6, patience=3).train(store)
"""


@pytest.fixture(autouse=True)
def _after_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))


def killed(*command: str) -> None:
    """Runs a program that kills itself at the end of the fourth epoch."""
    environment = {**os.environ, "TINY_DIES_IN": "4"}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, timeout=200)
    assert done.returncode == -signal.SIGKILL


def interrupted(epoch: int) -> EpochCallback:
    """Ends a training at the end of an epoch, as Ctrl-C does."""

    def end(done: int, _: Mapping[str, float]) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    return EpochCallback(end)


def interrupt(store: Store, **fields: Any) -> None:
    """A training of six epochs that is interrupted in the fourth."""
    with pytest.raises(KeyboardInterrupt):
        Tiny(epochs=6, **fields).train(store, [interrupted(4)])


def values(run: str) -> dict[str, dict[int, float]]:
    """All that a run logged of its model, by metric and step; each step once."""
    client, names = mlflow.MlflowClient(), mlflow.get_run(run).data.metrics
    of_model = [name for name in names if not name.startswith(("system/", "time/"))]
    for name in (*of_model, "time/training_seconds"):
        steps = [one.step for one in client.get_metric_history(run, name)]
        assert len(steps) == len(set(steps)), name
    return {name: dict(metric_history(run, name)) for name in of_model}


def kept(store: Store) -> list[Path]:
    return sorted(store.checkpoints.rglob("*.npz"))


def is_as_unbroken(outcome: Outcome, store: Store, **fields: Any) -> None:
    """Compares a training that has gone on with one that is made now, of the same config."""
    assert kept(store) == []
    again = Tiny(epochs=6, **fields).train(store)
    assert again.run != outcome.run
    assert values(again.run) == values(outcome.run)


@pytest.mark.slow
def test_a_killed_training_goes_on_in_its_run_and_ends_as_one_that_was_not(
    store_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed("-c", TRAIN, str(store_path))
    with open_store(store_path) as store:
        [run] = mlflow.search_runs(experiment_names=["tiny"], output_format="list")
        assert (run.info.status, "died" in run.data.tags["reason"]) == ("FAILED", True)
        assert len(kept(store)) == 1
        outcome = Tiny(epochs=6, patience=3).train(store)
        assert "training: goes on after epoch 3 of 6" in capsys.readouterr().out.splitlines()
        assert outcome.run == run.info.run_id
        run = mlflow.get_run(outcome.run)
        assert (run.info.status, run.data.tags.get("reason")) == ("FINISHED", None)
        assert len(run.inputs.dataset_inputs) == 1
        assert list(values(outcome.run)["val/loss"]) == [1, 2, 3, 4, 5, 6]
        is_as_unbroken(outcome, store, patience=3)
    assert list((store.root / "locks").glob("checkpoint*")) == []


@pytest.mark.slow
def test_a_killed_trial_goes_on_in_the_one_that_repeats_it(store_path: Path) -> None:
    killed("-m", "tests.tiny", str(store_path), "1", "1", "epochs=6")
    with open_store(store_path) as store:
        options = StudyOptions(trials=1, workers=1, study="tiny")
        assert len(kept(store)) == 1
        study = tune(Search(Tiny(epochs=6), tiny.space, ("epochs",), options, store)).study
        assert kept(store) == []
        cut, done = study.trials
        assert done.user_attrs["repeats"] == cut.number
        assert list(cut.intermediate_values) == [1, 2, 3, 4]
        assert list(done.intermediate_values) == [1, 2, 3, 4, 5, 6]
        unbroken = Kept()
        Tiny(**tiny.space(done), epochs=6).fit(unbroken)
        assert {step: one["val/loss"] for step, one in unbroken.metrics.items()} == done.intermediate_values
        assert metric_history(done.user_attrs["run"], "val/loss") == done.intermediate_values
        began = mlflow.get_run(done.user_attrs["run"]).data.tags
        assert began["resumed"] == "after epoch 3"


class Kept(Run):
    """Keeps metrics by step."""

    def __init__(self) -> None:
        self.metrics: dict[int, Mapping[str, float]] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.metrics[step] = metrics


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (damage, "BadZipFile"),
        (lambda path: path.write_bytes(b""), "EOFError"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "BadZipFile"),
        (lambda path: path.write_text("not a checkpoint"), "ValueError"),
    ],
)
def test_a_damaged_checkpoint_is_found(spoil: Callable[[Path], object], error: str, tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    checkpoints.write(path, {"epoch": 1}, [np.arange(1000)])
    assert checkpoints.check(tmp_path) == ""
    spoil(path)
    assert checkpoints.check(tmp_path) == f"its checkpoint is damaged ({error})"


@pytest.mark.slow
def test_a_checkpoint_of_another_version_or_network_or_config_is_not_used(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "versions", lambda: {"keras": "1.0"})
        interrupt(store)
    [begun] = mlflow.search_runs(experiment_names=["tiny"], output_format="list")
    assert Tiny(epochs=6).train(store).run != begun.info.run_id
    assert "training: begins anew: its checkpoint is of keras 1.0, and this is keras" in capsys.readouterr().out
    assert kept(store) == []

    interrupt(store)
    with monkeypatch.context() as patch:  # as if the code of the model was changed
        patch.setattr(keras.layers, "Dense", lambda units, *rest: DENSE(units if units == 1 else units + 1, *rest))
        Tiny(epochs=6).train(store)
    assert "training: begins anew: its checkpoint is of another network" in capsys.readouterr().out

    interrupt(store)
    Tiny(epochs=6, batch_size=4).train(store)
    assert "anew" not in capsys.readouterr().out
    assert len(kept(store)) == 1
    mlflow.delete_run(mlflow.search_runs(experiment_names=["tiny"], output_format="list")[1].info.run_id)
    Tiny(epochs=6, batch_size=4).train(store)
    assert list(store.checkpoints.iterdir()) == [], "of a run that was deleted"


DENSE = keras.layers.Dense


@pytest.mark.slow
def test_of_two_at_once_the_second_keeps_no_checkpoint(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    interrupt(store)
    [path] = kept(store)
    before = path.read_bytes()
    with start_training(store, Tiny(epochs=6), "first", role="model "):
        Tiny(epochs=6).train(store)
        assert "training: another process is at the same one; this one keeps no checkpoint" in capsys.readouterr().out
        assert path.read_bytes() == before
    assert kept(store) == []


@pytest.mark.slow
def test_a_lock_that_is_held_for_a_moment_is_waited_for(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    interrupt(store)
    [path] = kept(store)
    lock = FileLock(store.lock(f"checkpoint {path.parent.name}").lock_file, thread_local=False)
    with lock.acquire(timeout=0):
        threading.Timer(0.5, lock.release).start()
        Tiny(epochs=6).train(store)
    assert "training: goes on after epoch 3 of 6" in capsys.readouterr().out.splitlines()


def test_a_training_that_fails_leaves_no_checkpoint(store: Store) -> None:
    def fail(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 3:
            assert len(kept(store)) == 1
            raise NotFinite("the loss")

    with pytest.raises(NotFinite):
        Tiny(epochs=6).train(store, [EpochCallback(fail)])
    assert kept(store) == []


def test_a_full_disk_costs_only_the_checkpoint(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(path: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(checkpoints, "write", write)
    Tiny(epochs=3).train(store)
    said = "training: writes no further checkpoint: No space left on device; it goes on without"
    assert capsys.readouterr().out.splitlines().count(said) == 1


@pytest.mark.slow
def test_minutes_and_seconds_count_over_both_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def tick(epoch: int, _: Mapping[str, float]) -> None:  # at the end of an epoch, which takes a minute
        nonlocal now
        now += 60

    for module in (callbacks, resuming):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now))
    with pytest.raises(KeyboardInterrupt):
        Tiny(epochs=9, minutes=5).train(store, [EpochCallback(tick), interrupted(4)])
    outcome = Tiny(epochs=9, minutes=5).train(store, [EpochCallback(tick)])
    assert list(values(outcome.run)["val/loss"]) == [1, 2, 3, 4, 5, 6]
    assert 180 <= outcome.metrics["time/training_seconds"] < 300


class Interrupted(Tiny):
    """Is interrupted in the fourth epoch, once."""

    name = "tiny"
    times = [1]

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        return super().fit(run, [*callbacks, *([interrupted(4)] if self.times and self.times.pop() else [])])


@pytest.mark.slow
def test_a_comparison_takes_over_the_training_that_was_interrupted(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = Comparison(experiment=Interrupted, metric="test/accuracy", along=("units", (2, 4)), fields={"epochs": 6})
    with pytest.raises(KeyboardInterrupt):
        sizes.run(store, "sizes", 1)
    [begun] = mlflow.search_runs(
        filter_string="tags.`mlflow.parentRunId` LIKE '%'", search_all_experiments=True, output_format="list"
    )
    sizes.run(store, "sizes", 1)
    assert "training: goes on after epoch 3 of 6" in capsys.readouterr().out.splitlines()
    run, [parent, _] = (
        mlflow.get_run(begun.info.run_id),
        mlflow.search_runs(
            filter_string="tags.comparison = 'sizes'", search_all_experiments=True, output_format="list"
        ),
    )
    assert (run.info.status, run.data.tags["mlflow.parentRunId"]) == ("FINISHED", parent.info.run_id)
    assert list(values(run.info.run_id)["val/loss"]) == [1, 2, 3, 4, 5, 6]
