"""Locks of every kind of store: held by one process, released by its death, kept through a server's restart."""

import multiprocessing
import signal
import threading
from contextlib import closing
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import psycopg2
import pytest
from filelock import Timeout

from library import open_store
from library.framework.errors import StoreError
from library.framework.tracking.advisory_lock import KEY
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.queries import all_runs, read_run
from library.framework.tracking.store import Store
from tests.postgres import Postgres


def hold(address: str, artifacts: str, name: str, pipe: "multiprocessing.connection.Connection") -> None:
    """Holds a lock until it is killed."""
    with open_store(address, artifacts=artifacts).lock(name):
        pipe.send("held")
        signal.pause()


@pytest.fixture(params=["store", "postgres_store"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """A store of each kind."""
    opened: Store = request.getfixturevalue(request.param)
    return opened


@pytest.mark.slow
@pytest.mark.parametrize("name", ["study a", "x" * 300, "Ünï 'c' %"])
def test_a_lock_is_held_by_one_at_a_time_and_given_back(any_store: Store, name: str) -> None:
    with any_store.lock(name):
        with pytest.raises(Timeout):
            any_store.lock(name).acquire(timeout=0)
        with pytest.raises(Timeout):
            any_store.lock(name).acquire(timeout=0.1)
        with any_store.lock(f"another {name[:200]}"):
            pass
    with any_store.lock(name).acquire(timeout=0) as lock:
        assert not lock.is_lost


@pytest.mark.slow
def test_a_lock_of_a_killed_process_is_free(
    postgres_store: Store, processes: ForkServerContext, tmp_path: Path
) -> None:
    here, there = processes.Pipe()
    arguments = (postgres_store.tracking, str(tmp_path), "x", there)  # type: ignore[attr-defined]
    process = processes.Process(target=hold, args=arguments, daemon=True)
    process.start()
    assert here.recv() == "held"
    with pytest.raises(Timeout):
        postgres_store.lock("x").acquire(timeout=0)
    process.kill()
    process.join()
    with postgres_store.lock("x").acquire(timeout=20):
        pass


def test_who_was_cut_off_and_lost_the_lock_of_its_run_writes_no_more(postgres_store: Store) -> None:
    address = postgres_store.studies_uri.replace("+psycopg2", "")
    with (
        start_run(postgres_store, "e", "run") as run,
        closing(psycopg2.connect(address)) as another,
        closing(psycopg2.connect(address)) as admin,
        admin.cursor() as cursor,
    ):
        [held] = [one.tags["lock"] for one in all_runs()]
        taking = threading.Thread(
            target=another.cursor().execute, args=(f"SELECT pg_advisory_lock({KEY})", [f"run-{held}"])
        )
        taking.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not (cursor.execute(waiting) or cursor.fetchone()[0]):
            admin.rollback()
        granted = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
        database = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        cursor.execute(f"SELECT pg_terminate_backend(pid) FROM ({granted}{database}) AS owners")  # noqa: S608
        taking.join()
        with pytest.raises(StoreError, match="this machine was cut off from the store, where the run counts as dead"):
            for step in range(10_000):
                run.log_metrics({"a": 1.0}, step)


@pytest.mark.slow
def test_a_lock_outlives_a_restart_of_the_server_and_no_live_run_is_ended(tmp_path: Path) -> None:
    server = Postgres()
    try:
        with open_store(server.create("d"), artifacts=str(tmp_path)) as store, store.lock("study x") as lock:
            with start_run(store, "e", "run") as run:
                server.stop()
                server.start()
                open_store(server.address("d"), artifacts=str(tmp_path))
                with pytest.raises(Timeout):
                    store.lock("study x").acquire(timeout=0)
                assert read_run(run.id).status == "RUNNING"
                run.log_metrics({"a": 1.0})
            assert not lock.is_lost
            assert read_run(run.id).status == "FINISHED"
    finally:
        server.close()


def log_datasets(root: Path, barrier: "threading.Barrier", failures: "multiprocessing.SimpleQueue[str]") -> None:
    """Logs three data sets at the same moment as another process; puts each failure."""
    with open_store(root) as store:
        for number in range(3):
            with start_run(store, "e", "run") as run:
                barrier.wait()
                try:
                    run.log_dataset("points", f"digest-{number}", {"train": np.zeros((2, 2))})
                except Exception as error:
                    failures.put(repr(error))


@pytest.mark.slow
def test_two_runs_log_one_data_set_at_the_same_moment(store_path: Path, processes: ForkServerContext) -> None:
    open_store(store_path)
    barrier, failures = processes.Barrier(2), processes.SimpleQueue()
    both = [processes.Process(target=log_datasets, args=(store_path, barrier, failures)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert failures.empty(), failures.get()
    assert [process.exitcode for process in both] == [0, 0]
