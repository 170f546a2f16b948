"""MLflow runs: how they end, what they carry, and that none outlives its process."""

import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import mlflow
import numpy as np
import pytest
import sqlalchemy
from matplotlib.figure import Figure
from mlflow.exceptions import MlflowException

from library import open_store
from library.framework import environment
from library.framework.errors import StoreError
from library.framework.tracking import queries
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.store import Store
from tests import programs
from tests.tiny import Tiny

ROOT = Path(__file__).parents[3]


def last_run() -> mlflow.entities.Run:
    """The newest run of the experiment `tests`."""
    return mlflow.search_runs(experiment_names=["tests"], output_format="list")[0]


def test_a_run_carries_params_provenance_and_data(store: Store) -> None:
    config = Tiny.Config(units=8)
    with start_run(store, "tests", "a run", config=config, tags={"number": 1}) as run:
        run.log_dataset("points", "abc", {"training": np.zeros((5, 2)), "testing": np.zeros((3, 2))})
        run.log_metrics({"val/loss": 0.5}, step=3)
        run.log_table("answers", {"query": ["1+1"], "answer": ["2"]})
        run.log_figure("dots", Figure())
    kept = last_run()
    assert kept.info.status == "FINISHED"
    assert kept.info.run_name == "a run"
    assert kept.data.params == {name: str(value) for name, value in config.model_dump().items()}
    assert kept.data.metrics["val/loss"] == 0.5
    assert kept.data.tags["number"] == "1"
    assert kept.data.tags["data.digest"] == "abc"
    assert {"git.commit", "git.dirty", "version.keras", "version.mlflow", "machine"} <= kept.data.tags.keys()
    inputs = {i.tags[0].value: (i.dataset.name, i.dataset.digest) for i in kept.inputs.dataset_inputs}
    assert inputs == {"training": ("points-training", "abc"), "testing": ("points-testing", "abc")}
    artifacts = store.root / "artifacts" / "tests" / kept.info.run_id / "artifacts"
    assert (artifacts / "figures" / "dots.png").read_bytes().startswith(b"\x89PNG")
    assert (artifacts / "tables" / "answers.json").exists()


def test_mlflows_pages_describe_an_experiment_and_a_run(store: Store) -> None:
    for name, about in (("described", "What it is."), ("tests", "")):
        with start_run(store, name, "run", tags={"command": f"make train-{name}"}, about=about):
            pass
    assert last_run().data.tags["mlflow.note.content"] == "```\nmake train-tests\n```"
    described, others = (mlflow.get_experiment_by_name(name).tags for name in ("described", "tests"))
    assert described["mlflow.note.content"] == "What it is."
    assert not others.get("mlflow.note.content")
    assert described["mlflow.experimentKind"] == "custom_model_development"


def test_a_table_replaces_one_of_its_name_and_is_read_in_place(store: Store) -> None:
    with start_run(store, "tests", "run") as run:
        run.log_table("front", {"trial": [0, 1]})
    with start_run(store, "tests", "run", resume=run.id) as run:
        run.log_table("front", {"trial": [2]})
    assert queries.read_json(run.id, "tables/front.json") == {"columns": ["trial"], "data": [[2]]}
    assert queries.artifact_path(run.id, "tables/front.json").is_relative_to(store.root / "artifacts")
    with pytest.raises(MlflowException, match=r"none\.json"):
        queries.artifact_path(run.id, "tables/none.json")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("lost\nand found"), "FAILED", "ValueError: lost and found"),
        *[(interrupt, "KILLED", "interrupted") for interrupt in (KeyboardInterrupt(), SystemExit())],
    ],
)
def test_an_exception_fails_a_run_and_an_interrupt_kills_it(
    store: Store, error: BaseException, status: str, reason: str
) -> None:
    with pytest.raises(type(error)) as caught, start_run(store, "tests", "run"):
        raise error
    assert caught.value is error
    assert (last_run().info.status, last_run().data.tags["reason"]) == (status, reason)


def test_an_interrupt_that_native_code_turned_into_an_error_kills_a_run(store: Store) -> None:
    interrupt = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as caught, start_run(store, "tests", "run"):
        try:
            raise SystemError("returned a result with an exception set") from interrupt
        except SystemError:
            raise TypeError("no data set") from None
    assert caught.value is interrupt
    assert (last_run().info.status, last_run().data.tags["reason"]) == ("KILLED", "interrupted")


def test_an_interrupt_while_a_connection_is_closed_is_not_logged_with_a_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(_: object) -> None:
        raise SystemExit(143)

    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.NullPool)
    connection = engine.connect()
    monkeypatch.setattr(engine.dialect, "do_close", interrupt)
    with pytest.raises(SystemExit, match=r"^143$"):
        connection.close()
    assert caplog.records == []


def test_a_run_ends_only_once(store: Store) -> None:
    with start_run(store, "tests", "run") as run:
        run.end("KILLED", "pruned")
    assert (last_run().info.status, last_run().data.tags["reason"]) == ("KILLED", "pruned")


def test_children_know_their_parent_and_a_run_can_go_on(store: Store) -> None:
    with (
        start_run(store, "tests", "parent") as parent,
        start_run(store, "tests", "child", parent=parent.id),
    ):
        assert queries.read_run(parent.id).status == "RUNNING"
    assert last_run().data.tags["mlflow.parentRunId"] == parent.id
    with start_run(store, "tests", "parent", resume=parent.id) as again:
        assert again.id == parent.id
    assert queries.read_run(parent.id).status == "FINISHED"


def die_in_a_run(root: Path, resume: str | None, survivor: Connection) -> None:
    """Dies as in a container, whose host's name nobody else has; a child that it forked lives until the test's end."""
    socket.gethostname = lambda: "elsewhere"
    with open_store(root) as store, start_run(store, "tests", "orphan", resume=resume):
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        survivor.poll(None)
        os._exit(0)


@pytest.mark.parametrize("is_resumed", [False, True])
def test_whoever_opens_the_store_ends_the_runs_of_dead_processes_and_no_others(
    is_resumed: bool, store: Store, processes: ForkServerContext
) -> None:
    resume = None
    if is_resumed:
        with start_run(store, "tests", "to be resumed") as run:
            resume = run.id
    ours, theirs = processes.Pipe()
    with ours, theirs:
        dying = processes.Process(target=die_in_a_run, args=(store.root, resume, theirs))
        dying.start()
        dying.join()
        assert dying.exitcode == -9
        [orphan] = mlflow.search_runs(experiment_names=["tests"], output_format="list")
        assert orphan.info.status == "RUNNING"
        with start_run(store, "tests", "alive") as alive:
            with open_store(store.root):
                ended = mlflow.get_run(orphan.info.run_id)
            assert ended.info.status == "FAILED"
            assert re.fullmatch(r"process \d+ on elsewhere died", ended.data.tags["reason"])
            assert queries.read_run(alive.id).status == "RUNNING"
            assert [path.name for path in store.root.glob("locks/run-*")] == [
                f"run-{mlflow.get_run(alive.id).data.tags['lock']}"
            ]
    assert not list(store.root.glob("locks/run-*"))


def test_a_running_run_is_dead_in_a_copy_of_its_store(store: Store, tmp_path: Path) -> None:
    with start_run(store, "tests", "run") as run:
        with open_store(shutil.copytree(store.root, tmp_path / "copy")):
            assert queries.read_run(run.id).status == "FAILED"
        with open_store(store.root):
            assert queries.read_run(run.id).status == "RUNNING"


def test_a_run_of_an_earlier_version_is_judged_by_its_process(store: Store) -> None:
    host, pid, _ = environment.this_process().split()
    tags = ["elsewhere 1 0.00", environment.this_process(), "of another program's tag", f"{host} {pid} 0.00"]
    client = mlflow.MlflowClient()
    runs = [client.create_run(client.create_experiment(tag), tags={"process": tag}).info.run_id for tag in tags]
    with open_store(store.root):
        assert [queries.read_run(run).status for run in runs] == [*["RUNNING"] * 3, "FAILED"]


def test_the_command_of_a_run_repeats_every_field() -> None:
    assert environment.command("train", "tiny", {"train_fraction": 0.5, "padding": "a b"}) == (
        "make train-tiny TRAIN_FRACTION=0.5 'PADDING=a b'"
    )


def test_a_wrapped_command_is_the_same_to_a_shell() -> None:
    command = environment.command("train", "tiny", {f"field_{n}": f"it's {n}" for n in range(9)})
    lines = environment.wrapped(command).splitlines()
    assert max(map(len, lines)) <= 70 < len(command)
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert shlex.split(" ".join(line.removesuffix("\\") for line in lines)) == shlex.split(command)
    assert environment.wrapped("make ui") == "make ui"


def test_a_new_store_has_no_experiment_until_there_is_one_of_ours(store: Store) -> None:
    assert mlflow.search_experiments() == []
    with start_run(store, "tests", "run"), open_store(store.root):
        assert [one.name for one in mlflow.search_experiments()] == ["tests"]
    mlflow.MlflowClient().restore_experiment("0")  # as in a store of an earlier version
    with open_store(store.root):
        assert {one.name for one in mlflow.search_experiments()} == {"Default", "tests"}


@pytest.mark.parametrize(("given", "disabled"), [({}, "True"), ({"MLFLOW_DISABLE_TELEMETRY": "false"}, "False")])
def test_mlflow_sends_nothing_unless_it_is_told_to(given: dict[str, str], disabled: str) -> None:
    code = "import library.framework; from mlflow.environment_variables import *; print(MLFLOW_DISABLE_TELEMETRY.get())"
    variables = {**programs.environment("MLFLOW_DISABLE_TELEMETRY"), "DO_NOT_TRACK": "true", **given}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.stdout.strip() == disabled, done.stderr


def test_a_store_that_is_a_file_or_damaged_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"^store .*/file: .*; give STORE="), open_store(tmp_path / "file"):
        pass
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreError, match="not a database"), open_store(tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_written_is_one_line(store_path: Path) -> None:
    store_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StoreError, match="ermission denied"), open_store(store_path):
        pass


def test_a_full_disk_within_the_block_is_one_line_and_bugs_keep_their_traceback(store_path: Path) -> None:
    with pytest.raises(StoreError, match="No space left on device"), open_store(store_path):
        raise RuntimeError("while logging") from OSError(28, "No space left on device")
    with pytest.raises(KeyError), open_store(store_path):
        raise KeyError("a bug")


def test_a_process_that_dies_while_it_makes_a_store_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("alembic.command.upgrade", interrupt)  # when some of the tables are there
        open_store(tmp_path / "store")
    assert not (tmp_path / "store" / "mlflow.db").exists()
    with open_store(tmp_path / "store"):
        assert mlflow.search_experiments() == []


def test_processes_that_open_a_new_store_at_once_do_not_break_it(tmp_path: Path, processes: ForkServerContext) -> None:
    other = processes.Process(target=open_store, args=(tmp_path / "new",))
    other.start()
    open_store(tmp_path / "new")
    other.join()
    assert other.exitcode == 0


def test_an_experiment_that_was_deleted_is_restored_and_that_is_told(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with start_run(store, "mine", "first") as run:
        pass
    client = mlflow.MlflowClient()
    client.delete_experiment(client.get_run(run.id).info.experiment_id)
    with start_run(store, "mine", "second") as run:
        pass
    assert client.get_experiment_by_name("mine").lifecycle_stage == "active"
    assert capsys.readouterr().err == "note: the experiment 'mine' was deleted in MLflow; it is restored\n"
