"""A store that is a group's, another user's, or on a disk that cannot be written: it works or is one line."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from library import load_model, open_store
from library.framework.errors import UserError
from library.framework.registry.overview import overview, production_history
from library.framework.registry.stages import rollback
from library.framework.serving.sockets import find_free_port
from library.framework.tracking import queries
from library.framework.tracking.mlflow_run import start_run
from tests import versions

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may work as several users")
GROUP, FIRST, SECOND = 60_000, 60_001, 60_002


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_user(user: int, answer: Connection, work: Callable[..., Any], *arguments: Any) -> None:
    """Does some work as a user of the group, after the same as root on a copy, which imports all that it needs."""
    with tempfile.TemporaryDirectory() as copy:
        root = Path(copy, "store")
        if arguments[0].exists():
            shutil.copytree(arguments[0], root)
        work(root, *arguments[1:])
    os.umask(0o022)
    os.setgroups([])
    os.setegid(GROUP)
    os.seteuid(user)
    try:
        answer.send(work(*arguments))
    except UserError as error:
        answer.send(f"error: {error}")


@pytest.fixture
def do(processes: ForkServerContext) -> Callable[..., Any]:
    """Does some work as a user and returns what it returned, or the one line of its error."""

    def run(user: int, work: Callable[..., Any], *arguments: Any) -> Any:
        ours, theirs = processes.Pipe()
        process = processes.Process(target=as_user, args=(user, theirs, work, *arguments))
        process.start()
        theirs.close()
        try:
            return ours.recv()
        finally:
            process.kill()
            process.join()

    return run


def write(root: Path) -> str:
    """The status of a run with a file and a figure's folder, in a store where a study is begun."""
    import optuna

    with open_store(root) as store:
        optuna.create_study(storage=store.studies_uri, study_name="s", load_if_exists=True)
        with start_run(store, "tests", "run") as run:
            run.log_json("parts/name.json", {})
        return queries.read_run(run.id).status


def read(root: Path) -> tuple[Any, ...]:
    """What a store says of its versions, and what the one in Production answers."""
    with open_store(root, writes=False):
        stages = [(one.version, one.stage) for one in overview()]
        return stages, len(production_history(versions.NAME)), load_model(versions.NAME).predict(["1+1"])


def change(root: Path) -> None:
    with open_store(root):
        rollback(versions.NAME)


def change_as_opened_to_read(root: Path) -> None:
    with open_store(root, writes=False):
        rollback(versions.NAME)


@pytest.mark.slow
def test_two_users_share_a_store_whose_folder_their_group_may_write(public: Path, do: Callable[..., Any]) -> None:
    root = public / "store"
    root.mkdir()
    os.chown(root, 0, GROUP)
    root.chmod(0o2775)
    assert do(FIRST, write, root) == "FINISHED"
    assert do(SECOND, write, root) == "FINISHED"
    assert do(FIRST, write, root) == "FINISHED"
    made = [path.stat() for path in root.rglob("*")]
    assert {FIRST, SECOND} == {one.st_uid for one in made}
    assert {GROUP} == {one.st_gid for one in made}
    assert all(one.st_mode & stat.S_IWGRP for one in made)


@pytest.mark.slow
def test_what_a_second_user_may_not_write_is_one_line_with_owner_and_remedy(
    public: Path, do: Callable[..., Any]
) -> None:
    root = public / "store"
    root.mkdir()
    os.chown(root, FIRST, GROUP)
    assert do(FIRST, write, root) == "FINISHED"
    error = do(SECOND, write, root)
    remedy = f"belongs to user {FIRST}, who can let the group write with `chmod -R g+w {root}`; give STORE="
    assert error.startswith(f"error: store {root}: permission denied: {root} {remedy}")
    root.chmod(0o775)
    assert f"{root}/artifacts belongs to" in do(SECOND, write, root)
    for path in [path for path in root.rglob("*") if path.name != "tests"]:
        path.chmod(path.stat().st_mode | stat.S_IWGRP)
    assert f"{root}/artifacts/tests belongs to" in do(SECOND, write, root)
    (root / "artifacts" / "tests").chmod(0o775)
    assert do(SECOND, write, root) == "FINISHED"


@pytest.mark.slow
def test_a_store_that_cannot_be_written_is_read_and_left_as_it_is(
    three_path: Path, public: Path, do: Callable[..., Any]
) -> None:
    root = Path(shutil.copytree(three_path, public / "store"))
    expected = read(root)
    before = {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]}
    assert do(SECOND, read, root) == expected
    for refused in (change, change_as_opened_to_read):
        assert do(SECOND, refused, root).startswith(f"error: store {root}: permission denied: ")
    assert {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]} == before


@pytest.mark.slow
def test_a_store_on_a_disk_that_is_mounted_read_only_is_served(three_path: Path, tmp_path: Path) -> None:
    shutil.copytree(three_path, root := tmp_path / "store")
    open_store(root)
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" || exit 77; exec "$@"'
    port = find_free_port(5901)
    command = [sys.executable, "-m", "experiments", "serve", f"--model={versions.NAME}", f"--port={port}"]
    program = ["unshare", "--mount", "sh", "-c", mount, str(root), *command, f"--store={root}"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            first = server.stdout.readline()
            if not first and server.wait() in (1, 77):
                pytest.skip("this machine lets nobody mount")
            assert first == f"tiny version 3, Production, answers on http://127.0.0.1:{port} until Ctrl-C:\n"
        finally:
            server.kill()
