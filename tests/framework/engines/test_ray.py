"""Studies on a Ray cluster: real nodes, on this machine, and what is refused before a study begins."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import BaseTrial

from library import open_store
from library.framework import engines
from library.framework.errors import UserError
from library.framework.options import StudyOptions
from library.framework.serving.sockets import find_free_port
from library.framework.tracking.queries import all_runs
from library.framework.tracking.store import Store
from library.framework.tuning.search import Search
from library.framework.tuning.study import Tuned, tune
from library.framework.tuning.trials import finished_trials
from tests import tiny
from tests.ray_node import Node


def failing_space(trial: BaseTrial) -> dict[str, Any]:
    """A way to fail for each trial but the last."""
    return {"units": trial.suggest_int("units", 2, 64), "fails": ("die", "raise", "")[trial.number]}


def run_study(store: Store, address: str, space: Any = tiny.space, **options: Any) -> Tuned:
    given = {"study": "tiny", "engine": "ray", "address": address, "workers": 1, **options}
    return tune(Search(tiny.Sized(), space, (), StudyOptions(**given), store))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["--cpus=2"], "cpus: got 2.0 without a cluster; give ENGINE=ray"),
        (["--address=h:1"], "address: got 'h:1' without a cluster; give ENGINE=ray"),
        (["--engine=ray", "--gpus=1.5"], "gpus: got 1.5; allowed is a share of one, below 1, or a whole number"),
        (
            ["--engine=ray", "--address=http://h"],
            "address: got 'http://h'; allowed is auto, host:port or ray://host:port",
        ),
        (["--engine=dask"], "engine: got 'dask'; allowed is 'local' or 'ray'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    given: Sequence[str], line: str, refused: Callable[[Sequence[str]], str]
) -> None:
    assert refused(["tune", "seq2seq", *given]).startswith(f"error: {line}")


@pytest.mark.slow
def test_what_cannot_run_trials_is_refused_before_the_study_begins(
    store: Store, postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"^engine: ray needs a store that all nodes reach, got .*; give STORE="):
        run_study(store, "auto")
    nowhere = f"127.0.0.1:{find_free_port(6400)}"
    with pytest.raises(UserError, match=rf"^address: no Ray cluster answers at {nowhere}; start one with `ray start"):
        run_study(postgres_store, nowhere)
    monkeypatch.delitem(sys.modules, "library.framework.engines.ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"^engine: ray is not installed; pip install ray, or give ENGINE=local$"):
        run_study(postgres_store, "auto")
    assert all_runs() == []


@pytest.mark.slow
def test_a_cluster_that_is_too_small_or_has_other_packages_is_one_line(
    head: Node, postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = r"^cpus: got CPUS=2 and GPUS=0.5 for a worker; no node of the cluster has as many .*\([\d.]+: 1 and 0\)"
    with pytest.raises(UserError, match=asked):
        run_study(postgres_store, head.address, cpus=2, gpus=0.5)
    here = os.getpid()
    monkeypatch.setattr(engines.ray, "version", lambda name: "0" if os.getpid() == here else version(name))
    with pytest.raises(UserError, match=r"^node [\d.]+: has keras 3.*, this machine has 0; install the packages"):
        run_study(postgres_store, head.address)


@pytest.mark.nightly
def test_a_study_on_a_cluster_ends_as_on_one_machine(
    head: Node, postgres_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run_study(postgres_store, head.address, failing_space, trials=3)
    assert [trial.state.name for trial in done.study.trials] == ["FAIL", "FAIL", "COMPLETE"]
    died, raised, fine = (trial.user_attrs.get("reason") for trial in done.study.trials)
    assert re.fullmatch(r"its process on node [\d.]+ died", died)
    assert (raised, fine) == ("RuntimeError: told to fail", None)
    assert (done.outcome.version, done.outcome.stage) == ("1", "Production")
    assert {run.status for run in all_runs()} == {"FINISHED", "FAILED"}
    assert len({run.tags["git.commit"] for run in all_runs()}) == 1
    assert "Ray" not in capsys.readouterr().out


def study_beside_a_pause(store: str, artifacts: str, address: str) -> None:
    """A study of two workers, of which one pauses, in a process of its own."""
    with open_store(store, artifacts=artifacts) as opened:
        run_study(opened, address, trials=4, workers=2)


@pytest.mark.nightly
def test_a_trial_of_a_node_that_was_lost_is_run_again_on_another(
    head: Node, postgres_store: Store, processes: ForkServerContext, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    other = Node(head.address, TINY_PAUSES_AT=str(tmp_path / "pipe"))
    arguments = postgres_store.tracking, str(tmp_path / "artifacts"), head.address  # type: ignore[attr-defined]
    process = processes.Process(target=study_beside_a_pause, args=arguments)
    process.start()
    assert (tmp_path / "pipe").read_text() == "paused"
    other.kill()
    process.join()
    assert process.exitcode == 0
    study = Search(tiny.Sized(), tiny.space, (), StudyOptions(study="tiny"), postgres_store).study()
    [lost] = [trial for trial in study.trials if trial.state.name == "FAIL"]
    assert re.match(r"its node [\d.]+ was lost|its worker was lost", lost.user_attrs["reason"])
    [again] = [trial for trial in study.trials if trial.user_attrs.get("repeats") == lost.number]
    assert (again.state.name, again.params) == ("COMPLETE", lost.params)
    assert [trial.state.name for trial in finished_trials(study)] == ["COMPLETE"] * 4
    assert {run.status for run in all_runs()} == {"FINISHED", "FAILED"}
