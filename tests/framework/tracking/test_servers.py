"""Stores on servers: real PostgreSQL and MLflow servers, locks that they hold, and what is refused."""

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

import mlflow
import pytest
from filelock import Timeout

from library import load_model, open_store
from library.framework.errors import StoreError, UserError
from library.framework.options import StudyOptions
from library.framework.registry import stages
from library.framework.reporting.html import write_report
from library.framework.reproduction import rerun
from library.framework.serving.sockets import find_free_port
from library.framework.tracking.queries import all_runs, read_run
from library.framework.tracking.store import Store
from library.framework.tuning.attributes import keep
from library.framework.tuning.search import Search
from library.framework.tuning.study import join, tune
from library.framework.tuning.trials import finished_trials
from tests import tiny
from tests.postgres import Postgres

ADDRESS = "postgresql://me@127.0.0.1:1/runs"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["--store=postgresql://me:secret@h/d"], "store: the address has a password in it, which would be shown; give it as"),
        (["--store=http://me:secret@h:5000"], "store: the address has a password in it.*MLFLOW_TRACKING_USERNAME"),
        (["--store=sqlite:///x.db"], "store: got 'sqlite:///x.db'; allowed is a folder, http://host:5000 or postgresql://"),
        ([f"--store={ADDRESS}"], f"artifacts: nothing was given; with {ADDRESS}, give ARTIFACTS=folder that all machines"),
        (["--store=http://h:5000", "--artifacts=x"], "artifacts: got 'x' with the server http://h:5000; it decides where"),
        (["--store=x", f"--studies={ADDRESS}"], "studies: got .* with the store x; a folder holds them itself"),
        (["--artifacts=gs://bucket", f"--store={ADDRESS}"], "artifacts: got 'gs://bucket'; allowed is a folder or s3://"),
    ],
)
def test_addresses_that_are_not_allowed_are_refused_before_work_begins(
    given: Sequence[str], line: str, refused: Callable[[Sequence[str]], str]
) -> None:
    said = refused(["models", *given])
    assert re.match(f"error: {line}", said), said
    assert "secret" not in said


def test_servers_that_cannot_be_used_are_one_line(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(StoreError, match=rf"^store {ADDRESS}: connection .* refused.*; the same command goes on"):
        open_store(ADDRESS, artifacts=str(tmp_path))
    with pytest.raises(StoreError, match='database "none" does not exist'):
        open_store(postgres.address("none"), artifacts=str(tmp_path))
    with pytest.raises(StoreError, match="nothing answers there; start `mlflow server`, or give its address"):
        open_store(f"http://127.0.0.1:{find_free_port(5801)}", writes=False)
    with pytest.raises(StoreError, match="an MLflow server holds neither studies nor locks; give STUDIES=postgresql://"):
        open_store("http://127.0.0.1:1")


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


@pytest.mark.parametrize("name", ["study a", "x" * 300, "Ünïcode/'\"%"[:7]])
def test_a_lock_is_held_by_one_at_a_time_and_given_back(any_store: Store, name: str) -> None:
    name = name.replace("/", "-")
    with any_store.lock(name):
        with pytest.raises(Timeout):
            any_store.lock(name).acquire(timeout=0)
        with pytest.raises(Timeout):
            any_store.lock(name).acquire(timeout=0.1)
        with any_store.lock(f"another {name[:200]}"):
            pass
    with any_store.lock(name).acquire(timeout=0) as lock:
        assert not lock.is_lost


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


def test_a_lock_outlives_a_restart_of_the_server_and_no_live_run_is_ended(tmp_path: Path) -> None:
    server = Postgres()
    try:
        with open_store(server.create("d"), artifacts=str(tmp_path)) as store, store.lock("study x") as lock:
            from library.framework.tracking.mlflow_run import start_run

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


@pytest.fixture
def server_store(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store behind an MLflow server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    port, log = find_free_port(5801), (tmp_path / "log").open("wb")
    runs = postgres.create(f"{tmp_path.name}_runs".replace("-", "_").lower()).replace("postgresql:", "postgresql+psycopg2:")
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
         "--backend-store-uri", runs, "--artifacts-destination", str(tmp_path / "artifacts")],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(port, process)
        address = f"http://127.0.0.1:{port}"
        with open_store(address, postgres.create(f"{tmp_path.name}_studies".replace("-", "_").lower())) as opened:
            yield opened
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Waits until a server listens."""
    while process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
            select_nothing()
    raise AssertionError("the server ended")


def select_nothing() -> None:
    """Lets a tenth of a second pass, in which nothing can be waited for."""
    import select

    select.select([], [], [], 0.1)


@pytest.mark.parametrize("kind", ["postgres_store", pytest.param("server_store", marks=pytest.mark.slow)])
def test_the_whole_life_of_models_on_servers(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store: Store = request.getfixturevalue(kind)
    options = StudyOptions(trials=2, workers=2, study="tiny")
    search = Search(tiny.Sized(), tiny.space, (), options, store)
    done = tune(search)
    again = tune(search)
    assert [trial.state.name for trial in again.study.trials] == ["COMPLETE"] * 2
    assert (again.outcome.version, again.outcome.stage) == ("1", "Production")
    assert done.outcome.run == again.outcome.run
    second = tiny.Sized(units=4).train(store)
    assert second.version == "2"
    assert stages.set_stage("tiny", "2", "Production", force=True).is_done
    assert stages.rollback("tiny").is_done
    assert load_model("tiny").metadata.run_id == load_model("tiny", version=1).metadata.run_id
    assert {run.status for run in all_runs()} == {"FINISHED"}
    assert "tiny" in write_report(str(tmp_path / "r.html"), "http://127.0.0.1:5000", store).read_text()
    plan = rerun.plan(second.run)
    assert rerun.repeat(plan, store)[1].is_same
    mlflow.MlflowClient()
