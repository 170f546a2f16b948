"""Stores on servers: the whole life of models on real PostgreSQL, MLflow and S3 servers, and what is refused."""

import http.server
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from library import load_model, open_store
from library.framework.discovery import find, find_space
from library.framework.errors import StoreError, UserError
from library.framework.options import StudyOptions
from library.framework.registry import stages
from library.framework.reporting.html import write_report
from library.framework.serving.sockets import find_free_port
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.queries import all_runs
from library.framework.tracking.store import Store
from library.framework.tuning.attributes import keep
from library.framework.tuning.search import Search
from library.framework.tuning.study import join, tune
from library.framework.tuning.trials import finished_trials
from tests import tiny
from tests.postgres import Postgres
from tests.s3 import S3

ADDRESS = "postgresql://me@127.0.0.1:1/runs"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            ["--store=postgresql://me:secret@h/d"],
            "store: the address has a password in it, which would be shown; give",
        ),
        (["--store=http://me:secret@h:5000"], "store: the address has a password in it.*MLFLOW_TRACKING_USERNAME"),
        (
            ["--store=sqlite:///x.db"],
            "store: got 'sqlite:///x.db'; allowed is a folder, http://host:5000 or",
        ),
        (
            [f"--store={ADDRESS}"],
            f"artifacts: nothing was given; with {ADDRESS}, give ARTIFACTS=folder",
        ),
        (
            ["--store=http://h:5000", "--artifacts=x"],
            "artifacts: got 'x' with the server http://h:5000; it decides",
        ),
        (["--store=x", f"--studies={ADDRESS}"], "studies: got .* with the store x; a folder holds them itself"),
        (
            ["--artifacts=gs://bucket", f"--store={ADDRESS}"],
            "artifacts: got 'gs://bucket'; allowed is a folder or s3://",
        ),
    ],
)
def test_addresses_that_are_not_allowed_are_refused_before_work_begins(
    given: Sequence[str], line: str, refused: Callable[[Sequence[str]], str]
) -> None:
    said = refused(["models", *given])
    assert re.match(f"error: {line}", said), said
    assert "secret" not in said


@pytest.mark.slow
def test_servers_that_cannot_be_used_are_one_line(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(StoreError, match=rf"^store {ADDRESS}: connection .* refused.*; the same command goes on"):
        open_store(ADDRESS, artifacts=str(tmp_path))
    with pytest.raises(StoreError, match='database "none" does not exist'):
        open_store(postgres.address("none"), artifacts=str(tmp_path))
    with closing(psycopg2.connect(postgres.create("newer"))) as admin, admin, admin.cursor() as cursor:
        cursor.execute("CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('abc')")
        cursor.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(StoreError, match="a newer MLflow made it than the installed"):
        open_store(postgres.address("newer"), artifacts=str(tmp_path))
    with pytest.raises(StoreError, match="permission denied for table alembic_version"):
        open_store(postgres.address("newer").replace("tester@", "guest@"), artifacts=str(tmp_path))
    with pytest.raises(StoreError, match="File exists: "):
        (tmp_path / "taken").touch()
        open_store(postgres.create("unused"), artifacts=str(tmp_path / "taken"))
    with pytest.raises(StoreError, match="nothing answers there; start `mlflow server`, or give its address"):
        open_store(f"http://127.0.0.1:{find_free_port(5801)}", writes=False)
    with pytest.raises(
        StoreError, match="an MLflow server holds neither studies nor locks; give STUDIES=postgresql://"
    ):
        open_store("http://127.0.0.1:1")


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("guarded", ["/", "/api/"])  # by what is in front of MLflow's server, and by itself
def test_a_server_that_refuses_the_user_says_how_to_name_another(guarded: str, status: int, postgres: Postgres) -> None:
    class Guard(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_refused = self.path.startswith(guarded)
            self.send_response(status if is_refused else 200)
            self.end_headers()
            self.wfile.write(b"" if is_refused else b"OK")

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guard) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        refused = "the server refuses the user; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        with pytest.raises(StoreError, match=refused):
            open_store(f"http://127.0.0.1:{server.server_port}", postgres.create(f"of{uuid.uuid4().hex}"))
        server.shutdown()


@pytest.mark.slow
def test_a_study_and_its_models_on_a_server(postgres_store: Store, tmp_path: Path) -> None:
    store = postgres_store
    options = StudyOptions(trials=2, workers=2, study="tiny")
    search = Search(tiny.Sized(), tiny.space, (), options, store)
    done = tune(search)
    again = tune(search)
    assert [trial.state.name for trial in again.study.trials] == ["COMPLETE"] * 2
    assert (again.outcome.version, again.outcome.stage) == ("1", "Production")
    assert done.outcome.run == again.outcome.run
    second = tiny.Sized(units=4).train(store)
    assert second.version == "2"
    stages.set_stage("tiny", "2", "Production", force=True)
    assert load_model("tiny").metadata.run_id == second.run
    stages.rollback("tiny")
    assert load_model("tiny").metadata.run_id == load_model("tiny", version=1).metadata.run_id
    assert {run.status for run in all_runs()} == {"FINISHED"}
    assert "tiny" in write_report(str(tmp_path / "r.html"), "http://127.0.0.1:5000", store).read_text()


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("user", "bucket", "error"),
    [
        ("writer", "none", "The specified bucket does not exist"),
        ("stranger", "bucket", "The access key ID you provided does not exist"),
        ("nobody", "bucket", "Could not connect to the endpoint"),
        ("reader", "bucket", "Access Denied"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_one_line(
    user: str, bucket: str, error: str, s3: S3, postgres: Postgres, tmp_path: Path
) -> None:
    keys = s3.environment(user)  # in a process of its own, as boto3 keeps those that it had
    if user == "nobody":
        keys["MLFLOW_S3_ENDPOINT_URL"] = f"http://127.0.0.1:{find_free_port(9001)}"
    database = postgres.create(f"d{uuid.uuid4().hex}")
    where = [f"--store={database}", f"--artifacts=s3://{bucket}"]
    command = [sys.executable, "-m", "experiments", "train", "glyph-reader", *where]
    environment = {**os.environ, **keys, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("store ")]
    assert (done.returncode, line.startswith(f"error: artifacts s3://{bucket}: ")) == (2, True)
    assert error in line


@pytest.mark.slow
def test_whoever_joins_a_study_runs_its_trials_and_those_of_a_dead_worker(postgres_store: Store) -> None:
    small = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 8, "filters": 2}
    experiment = find("glyph-reader")(**small)
    options = StudyOptions(trials=1, workers=1, study="s")
    search = Search(experiment, find_space("glyph-reader"), tuple(small), options, postgres_store)
    study = tune(search).study
    keep(study, "search", replace(search, options=StudyOptions(trials=3, workers=1, study="s")).as_json())
    lost = study.ask()
    lost.set_user_attr("worker", "dead")
    with postgres_store.lock("worker-alive"):
        said = join(postgres_store, "s", workers=2)
    done = "study s: 3 of 3 trials are finished; its own command trains the winner: make tune-glyph-reader"
    assert said.startswith(done)
    trials = study.get_trials()
    assert [trial.state.name for trial in trials].count("FAIL") == 1
    assert trials[lost.number].user_attrs["reason"] == "its worker was lost"
    assert [trial.user_attrs["repeats"] for trial in trials if "repeats" in trial.user_attrs] == [lost.number]
    assert len(finished_trials(study)) == 3
    with pytest.raises(UserError, match="unknown study 't'; allowed are s"):
        join(postgres_store, "t", workers=1)


@pytest.mark.slow
def test_a_process_can_close_its_idle_connections_but_that_of_its_locks(postgres_store: Store) -> None:
    search = Search(tiny.Tiny(), tiny.space, (), StudyOptions(study="tiny"), postgres_store)
    with postgres_store.lock("held") as lock, start_run(postgres_store, "e", "run") as run:
        study = search.study()
        with closing(psycopg2.connect(postgres_store.tracking)) as admin, admin.cursor() as cursor:  # type: ignore[attr-defined]
            mine = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            cursor.execute(mine)
            assert cursor.fetchone() == (3,)
            admin.commit()
            postgres_store.release_connections()
            while cursor.execute(mine) or cursor.fetchone() != (1,):  # a moment later
                admin.commit()
        assert not lock.is_lost
        run.log_metrics({"a": 1.0})
        assert study.trials == []


def cut(address: str, done: threading.Event) -> None:
    """Breaks off whatever query is under way in a database, three times."""
    with closing(psycopg2.connect(address)) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        others = "datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
        broken = 0
        while broken < 3 and not done.is_set():
            cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")  # noqa: S608
            broken += bool(cursor.rowcount)


@pytest.mark.nightly
def test_a_study_goes_on_where_queries_were_broken_off(postgres_store: Store) -> None:
    done = threading.Event()
    cutting = threading.Thread(target=cut, args=(postgres_store.tracking, done))  # type: ignore[attr-defined]
    options = StudyOptions(trials=3, workers=1, study="tiny")
    cutting.start()
    tuned = tune(Search(tiny.Sized(), tiny.space, (), options, postgres_store))
    done.set()
    cutting.join()
    assert [trial.state.name for trial in finished_trials(tuned.study)] == ["COMPLETE"] * 3
    assert {run.status for run in all_runs()} == {"FINISHED"}
