"""Versions that are moved by many at once, and by some that die at it."""

import itertools
import multiprocessing
import os
import sqlite3
from contextlib import closing
from multiprocessing.context import ForkServerContext
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from library import load_model
from library.framework.registry import history, stages
from library.framework.registry.overview import overview, production_history
from library.framework.registry.stages import set_stage
from library.framework.tracking.folder import FolderStore
from library.framework.tracking.store import Store
from tests.versions import NAME, aliases, clone, past, register, stages_now

WRITES = {
    "set_model_version_tag": 1, "set_registered_model_tag": 2, "transition_model_version_stage": 1,
    "set_registered_model_alias": 2, "delete_registered_model_tag": 1,
}  # fmt: skip
"""How often each is called for one promotion."""


@pytest.mark.parametrize(("write", "nth"), [(write, nth + 1) for write, n in WRITES.items() for nth in range(n)])
def test_what_a_crash_leaves_incomplete_is_completed_by_the_next_command(
    three: Store, monkeypatch: pytest.MonkeyPatch, write: str, nth: int
) -> None:
    calls, done = [], getattr(mlflow.MlflowClient, write)

    def crash(*arguments: object, **settings: object) -> object:
        calls.append(arguments)
        if len(calls) == nth:
            raise KeyboardInterrupt
        return done(*arguments, **settings)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(mlflow.MlflowClient, write, crash)
        set_stage(NAME, "1", force=True)
    assert load_model(NAME).predict(["?"]) == ["2"]
    [champion] = [entry.version for entry in overview() if entry.stage == "Production"]
    assert aliases()["production"] == champion
    assert past() == [(version, "forced") for version in ("1", "2", "3", *(["1"] if champion == "1" else []))]
    assert history.PROMOTING not in mlflow.MlflowClient().get_registered_model(NAME).tags


def test_what_another_hand_changes_at_the_same_moment_is_read_again(
    three: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, done = [], mlflow.MlflowClient.set_registered_model_alias

    def set_alias(client: mlflow.MlflowClient, name: str, alias: str, version: str) -> None:
        calls.append(alias)
        if len(calls) == 1:  # between MLflow's reading of the alias and its writing
            raise MlflowException("UPDATE statement on table 'registered_model_aliases' expected to update 1 row(s)")
        done(client, name, alias, version)

    monkeypatch.setattr(mlflow.MlflowClient, "set_registered_model_alias", set_alias)
    set_stage(NAME, "1", force=True)
    assert (aliases()["production"], past()[-1], len(past())) == ("1", ("1", "forced"), 4)


def die_between_the_writes(root: Path) -> None:
    FolderStore(root).connect()
    stages.reconcile = lambda *_: None if stages_now()["1"] != "Production" else os._exit(9)  # type: ignore[assignment]
    set_stage(NAME, "1", force=True)


def test_a_dead_writer_blocks_nobody_and_its_reason_is_kept(three: Store, processes: ForkServerContext) -> None:
    dying = processes.Process(target=die_between_the_writes, args=(three.root,))
    dying.start()
    dying.join()
    assert dying.exitcode == 9
    assert (stages_now()["1"], aliases()["production"]) == ("Production", "3")
    assert past()[-1] == ("1", "forced")
    assert aliases()["production"] == "1"


def promote_repeatedly(root: Path, version: str, rounds: int, together: "multiprocessing.synchronize.Barrier") -> None:
    FolderStore(root).connect()
    for _ in range(rounds):
        together.wait()
        if stages_now()[version] != "Production":
            set_stage(NAME, version, force=True)


@pytest.mark.slow
@pytest.mark.parametrize(("promoters", "rounds"), [(3, 2), pytest.param(20, 5, marks=pytest.mark.nightly)])
def test_many_promote_at_once_and_every_reader_finds_one_version(
    store: Store, tmp_path: Path, processes: ForkServerContext, promoters: int, rounds: int
) -> None:
    first = register(store, tmp_path, "01")
    versions = [first, *clone(first, promoters - 1)]
    set_stage(NAME, first, force=True)
    together = processes.Barrier(promoters)
    each = [(store.root, version, rounds, together) for version in versions]
    running = [processes.Process(target=promote_repeatedly, args=arguments) for arguments in each]
    for process in running:
        process.start()
    reads = 0
    with closing(sqlite3.connect(store.root / "mlflow.db", timeout=20)) as database:
        while any(process.is_alive() for process in running):
            counted = "SELECT COUNT(*) FROM model_versions WHERE current_stage = 'Production'"
            assert database.execute(counted).fetchone() == (1,)
            assert load_model(NAME).predict(["?"]) == ["2"]
            assert mlflow.pyfunc.load_model(f"models:/{NAME}/Production").predict(["?"]) == ["2"]
            assert mlflow.pyfunc.load_model(f"models:/{NAME}@production").predict(["?"]) == ["2"]
            reads += 1
    assert [process.exitcode for process in running] == [0] * promoters
    assert reads
    print(f"{promoters} promoters, {rounds} rounds, {reads} rounds of reading")
    periods = production_history(NAME)
    assert all(a.version != b.version for a, b in itertools.pairwise(periods))
    assert len(periods) > rounds
    assert [version for version, stage in stages_now().items() if stage == "Production"] == [periods[-1].version]
    assert aliases()["production"] == periods[-1].version
