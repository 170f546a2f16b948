"""Repeats: whatever was trained is trained again from what its run recorded, and told apart to the last digit."""

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest

from experiments.__main__ import main
from library.framework import discovery, environment, pipeline, registry
from library.framework.environment import in_use, start_keras
from library.framework.errors import UserError
from library.framework.experiment import Result
from library.framework.reproduction import rerun
from library.framework.run import Callbacks, Enough, Run
from library.framework.tracking import mlflow_run, queries
from library.framework.tracking.store import Store
from tests import tiny

EXPERIMENTS = {"tiny": tiny.experiment}


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tiny experiment is one of those that there are."""
    find = discovery.find
    monkeypatch.setattr(discovery, "find", lambda name: EXPERIMENTS[name] if name in EXPERIMENTS else find(name))
    handler = signal.getsignal(signal.SIGTERM)  # which main sets
    yield
    signal.signal(signal.SIGTERM, handler)


def change(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
    """Has the tiny experiment be another one."""
    monkeypatch.setitem(EXPERIMENTS, "tiny", replace(tiny.experiment, **parts))


def train(store: Store, **fields: Any) -> str:
    """A run that is trained in full and registered; returns its id."""
    config = tiny.Config(**fields)
    return pipeline.train_in_full("tiny", EXPERIMENTS["tiny"], config, store, run_name="näme").run


def trial(store: Store, stop_after: int = 99, **fields: Any) -> str:
    """A run of a trial of a study, without test scores, that is pruned after so many epochs; returns its id."""
    config = tiny.Config(**fields)

    def prune(epoch: int, _: Any) -> None:
        if epoch == stop_after:
            raise Enough

    with (
        mlflow_run.start_run(store, "tiny", "a study", tags={"study": "a study"}) as parent,
        mlflow_run.start_run(store, "tiny", "trial 000", parent=parent.id, config=config, tags={"trial": 0}) as run,
    ):
        tiny.train(config, run, [prune])
        run.end("FINISHED" if stop_after == 99 else "KILLED", "" if stop_after == 99 else "pruned after epoch 2")
    return run.id


def repeat(store: Store, run: str) -> tuple[queries.Record, Any]:
    plan = rerun.plan(run)
    rerun.start(plan)
    again, verdict = rerun.repeat(plan, store)
    return queries.read(again), verdict


def refused(run: str) -> str:
    with pytest.raises(UserError) as caught:
        rerun.plan(run)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_training_comes_out_the_same_and_the_registry_stays_as_it_is(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    old = train(store, seed=3, epochs=2)
    before = registry.overview()
    assert main(["repeat", f"--run={old[:9]}", f"--store={store.root}"]) == 0
    assert registry.overview() == before
    new = queries.everything()[0]
    assert (new.name, new.status, new.tags["repeats"]) == ("repeat of näme", "FINISHED", old)
    assert new.tags["repeat"] == "same"
    assert new.tags["command"] == f"make repeat RUN={old}"
    recorded = queries.read(old)
    assert {name: new.params[name] for name in tiny.Config.model_fields} == recorded.params | {}
    assert new.metrics == recorded.metrics
    assert {"train/loss", "val/loss", "test/accuracy", "model/parameters"} == new.metrics.keys()
    table = queries.read_json(new.id, "tables/repeat.json")
    assert table["columns"] == ["metric", "same", "values", "difference", "step", "then", "now"]
    assert sorted((row[0], row[1], row[2]) for row in table["data"]) == [
        ("model/parameters", True, 1), ("test/accuracy", True, 1), ("train/loss", True, 2), ("val/loss", True, 2),
    ]  # fmt: skip
    told = capsys.readouterr().out
    assert "näme" in told
    assert f"Run {new.id}: the same to the last digit: 6 values of 4 metrics" in told
    assert repeat(store, new.id)[1].is_same  # a repeat can be repeated


def test_another_result_is_told_and_has_a_status_of_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = train(store, epochs=2)

    def other(config: tiny.Config, run: Run, callbacks: Callbacks) -> Result:
        return tiny.train(config.model_copy(update={"learning_rate": 0.1}), run, callbacks)

    change(monkeypatch, train=other)
    with closing(sqlite3.connect(store.root / "mlflow.db")) as database, database:
        database.execute("UPDATE tags SET value = '0.1' WHERE key = 'version.keras' AND run_uuid = ?", [old])
        database.execute("UPDATE tags SET value = 'true' WHERE key = 'git.dirty'")
    monkeypatch.setattr(environment, "git", lambda: {"git.commit": "c0ffee", "git.dirty": "true"})
    assert main(["repeat", f"--run={old}", f"--store={store.root}"]) == 1
    told = capsys.readouterr().out
    assert re.search(r"version\.keras: 0\.1 then, \d", told)
    assert re.search(r"git\.commit: \w+ then, c0ffee now", told)
    assert "git.dirty: changed beyond its commit, then as now" in told
    assert told.index("git.commit") < told.index("Training") < told.index("val/loss")
    assert re.search(r"val/loss +2 +differs by up to [\d.e-]+, first at step 1: 0\.\d+ then, 0\.\d+ now", told)
    assert re.search(r"different: [23] of 4 metrics, first at step 1, most in \S+: by up to", told)
    assert queries.everything()[0].tags["repeat"] == "different"


def test_trials_are_repeated_without_a_test_and_pruned_ones_as_far_as_they_got(store: Store) -> None:
    whole, verdict = repeat(store, trial(store, epochs=3))
    assert verdict.is_same
    assert set(whole.metrics) == {"train/loss", "val/loss"}
    pruned = trial(store, stop_after=2, epochs=5)
    plan = rerun.plan(pruned)
    assert (plan.epochs, plan.is_tested, plan.config) == (2, False, tiny.Config(epochs=5))
    assert plan.remarks == ("it ended KILLED (pruned after epoch 2); it is repeated as far as it got, to epoch 2",)
    again, verdict = repeat(store, pruned)
    assert verdict.is_same
    assert list(queries.course(again.id, "val/loss")) == [1, 2]
    assert again.status == "FINISHED"


def test_a_limit_in_minutes_becomes_the_epochs_that_were_made(store: Store) -> None:
    old = train(store, epochs=9, minutes=1e-6)
    assert list(queries.course(old, "val/loss")) == [1]
    plan = rerun.plan(old)
    assert (plan.epochs, plan.config) == (1, tiny.Config(epochs=9))
    assert plan.remarks == ("it had 1e-06 minutes, which cannot be repeated exactly; as many epochs as it made can: 1",)
    again, verdict = repeat(store, old)
    assert verdict.is_same
    assert "test/accuracy" in again.metrics


def test_which_run_is_said_by_as_much_of_its_id_as_it_takes(store: Store) -> None:
    assert refused("abc").endswith("; there is no training")
    ids = []
    for name in ("first", "second"):
        with mlflow_run.start_run(store, "tiny", name, config=tiny.Config()) as run:
            run.log_metrics({"val/loss": 0.5}, step=1)
        ids.append(run.id)
    assert rerun.plan(ids[0].upper()).record.name == "first"
    some = f"{ids[1][:8]} (second), {ids[0][:8]} (first)"
    for wrong in ("no-such-run", "%", "_", "' OR 1", "0" * 32):
        assert refused(wrong) == f"run: got {wrong!r}, which no run's id begins with; the newest are {some}"
    with closing(sqlite3.connect(store.root / "mlflow.db")) as database, database:
        for one in ids:
            for table in ("runs", "params", "tags", "metrics", "latest_metrics"):
                database.execute(f"UPDATE {table} SET run_uuid = ? WHERE run_uuid = ?", ["abc" + one[3:], one])  # noqa: S608
    assert re.fullmatch(
        r"run: got 'abc', with which several begin: abc\w{5} \(.*\), abc.*; give more.*", refused("abc")
    )
    mlflow.delete_run("abc" + ids[0][3:])
    assert rerun.plan("abc").record.name == "second"


def test_runs_that_lack_what_a_repeat_needs_are_refused_in_one_line(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = trial(store, epochs=1)
    parent = queries.read(child).tags["mlflow.parentRunId"]
    assert refused(parent).endswith(
        f"(a study): is a whole study's and trained nothing itself; its own are {child[:8]} (trial 000)"
    )
    with mlflow_run.start_run(store, "cats", "side by side") as other:
        pass
    assert re.search(r"\(side by side\): recorded no config; the newest are \w{8} \(trial 000\)$", refused(other.id))
    with (
        pytest.raises(RuntimeError),
        mlflow_run.start_run(store, "tiny", "failed", config=tiny.Config(fails="raise")) as failed,
    ):
        tiny.train(tiny.Config(fails="raise"), failed, ())
    assert "ended FAILED before its first epoch: RuntimeError: told to fail; nothing" in refused(failed.id)
    with mlflow_run.start_run(store, "tiny", "running", config=tiny.Config()) as running:
        assert refused(running.id).endswith("(running): is still running; wait for its end")
    with mlflow_run.start_run(store, "gone", "old", config=tiny.Config()) as old:
        old.log_metrics({"val/loss": 0.5}, step=1)
    assert "cannot be repeated: unknown experiment 'gone'; allowed are cae" in refused(old.id)
    change(monkeypatch, digest=lambda _: "others")
    assert refused(child).endswith("its data were others: their digest was points-0 and is others now")


def test_a_config_that_changed_since_is_refused_or_told(store: Store) -> None:
    fields = tiny.Config().model_dump()
    cases = {"depth": "3", "rows_per_page": "4", "units": "1000"}
    for field, value in cases.items():
        command = environment.command("train", "tiny", {**fields, field: value})
        if field == "rows_per_page":
            command = "python -m experiments train tiny --rows-per-page=4"  # as commands once were
        with mlflow_run.start_run(store, "tiny", field, tags={"command": command}) as run:
            mlflow.log_params({**fields, field: value, "setting": "of a model"})
            run.log_metrics({"val/loss": 0.5}, step=1)
        cases[field] = refused(run.id)
    for field in ("depth", "rows_per_page"):
        assert cases[field].endswith(f"its config had fields that 'tiny' no longer has: {field}")
    assert cases["units"].endswith("cannot be repeated: units: got '1000'; allowed is less than or equal to 64")
    with mlflow_run.start_run(store, "tiny", "older") as run:
        mlflow.log_params({"seed": 5})
        run.log_metrics({"val/loss": 0.5}, step=1)
    plan = rerun.plan(run.id)
    assert plan.config == tiny.Config(seed=5)
    assert "units: no field of the config then; its default is taken, 4" in plan.remarks


def test_a_needed_model_that_is_gone_is_told_with_the_command_that_makes_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch, needs=lambda _: {"glyph-reader": discovery.find("glyph-reader").config(filters=2)})
    with mlflow_run.start_run(store, "tiny", "drawing", config=tiny.Config()) as run:
        run.log_metrics({"val/loss": 0.5}, step=1)
    assert refused(run.id).endswith(
        "needs a registered glyph-reader of the same data, and there is none; "
        "make train-glyph-reader FILTERS=2 makes one"
    )


def test_a_run_names_the_registered_version_that_it_needed(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(store, units=2)
    change(monkeypatch, needs=lambda config: {} if config.units == 3 else {"tiny": tiny.Config(units=3)})
    runs = [mlflow.get_run(train(store, seed=seed)) for seed in (5, 6)]
    assert [run.data.tags["needed.tiny"] for run in runs] == ["version 2", "version 2"]
    assert capsys.readouterr().out.count("Training tiny first") == 1
    [needed] = [one for one in queries.everything() if one.params["units"] == "3"]
    assert "needed.tiny" not in needed.tags


def test_a_run_records_what_it_computed_with(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    start_keras(1)
    with mlflow_run.start_run(store, "tiny", "run", config=tiny.Config()) as run:
        run.log_metrics({"val/loss": 0.5}, step=1)
    tags = queries.read(run.id).tags
    assert tags["compute.threads"] == "3"
    assert {"compute.cores", "compute.backend", "compute.devices", "machine.cpu"} <= tags.keys()
    assert in_use().items() <= tags.items()
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    differences = rerun.start(rerun.plan(run.id))
    assert in_use()["compute.threads"] == "3"  # as many as then, whatever the experiment would have now
    assert {name for name in differences if name != "git.dirty"} == set()


def test_a_repeat_that_fails_leaves_a_failed_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    old = train(store, epochs=1)
    change(monkeypatch, test=lambda *_: json.loads("no"))
    with pytest.raises(json.JSONDecodeError):
        repeat(store, old)
    assert queries.everything()[0].status == "FAILED"
    assert queries.everything()[0].tags["repeats"] == old


def test_a_store_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repeat", "--run=abc", f"--store={tmp_path / 'none'}"]) == 2
    assert "none: there is none; train or tune first" in capsys.readouterr().err
    assert main(["repeat"]) == 2
    assert capsys.readouterr().err.startswith("error: run: nothing was given; it is id of the run")
