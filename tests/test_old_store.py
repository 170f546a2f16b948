"""A store that version 0.1 made, before the library was restructured, opens, loads, resumes and repeats.

`fixtures/store-0.1.tar.xz` is a store of tiny trainings without its figures; its studies are `finished` and
`interrupted`, whose driver was killed. `expected.json` in it has what version 0.1 answered.
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from library import load_model, open_store
from library.framework.discovery import find, find_space
from library.framework.options import StudyOptions
from library.framework.registry.overview import overview, production_history
from library.framework.reproduction import rerun
from library.framework.tracking.queries import all_runs
from library.framework.tracking.store import Store

ARCHIVE = Path(__file__).with_name("fixtures") / "store-0.1.tar.xz"


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Store]:
    """The store, open, at another place than where it was made."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "store", filter="data")
    with open_store(tmp_path / "store") as store:
        yield store


def study(store: Store, name: str, **options: Any) -> Any:
    """A study of the archive, by its own command."""
    from library.framework.tuning.search import Search
    from library.framework.tuning.study import tune

    [run] = [run for run in all_runs() if run.tags.get("study") == name and "trial" not in run.tags]
    given = dict(word.split("=", 1) for word in run.tags["command"].split()[2:])
    own = {key.lower(): given.pop(key) for key in ("STUDY", "TRIALS", "WORKERS")}
    fields = {key.lower(): value for key, value in given.items()}
    experiment, space = find(run.experiment)(**fields), find_space(run.experiment)
    return tune(Search(experiment, space, tuple(fields), StudyOptions(**{**own, **options}), store))


def test_its_versions_load_by_stage_and_answer_as_then(old: Store) -> None:
    expected = json.loads((old.root / "expected.json").read_text(encoding="utf-8"))
    assert set(expected) == {"seq2seq-text-to-text", "seq2seq-image-to-text", "glyph-reader", "cats-vae"}
    for name, (given, params, answer) in expected.items():
        inputs = np.array(given, dtype="uint8") if isinstance(given[0], list) else given
        found = np.asarray(load_model(name, stage="Production").predict(inputs, params=params))
        if found.dtype.kind == "U":
            assert found.tolist() == answer
        else:
            np.testing.assert_allclose(found, answer, atol=1)  # of 255: another processor may round otherwise


def test_its_versions_have_their_scores_stages_and_history(old: Store) -> None:
    versions = {(one.model, one.version): (one.stage, one.score and one.score.name) for one in overview()}
    assert versions["seq2seq-text-to-text", "1"] == ("Archived", "test/exact_match")
    assert versions["seq2seq-text-to-text", "2"] == ("Production", "test/exact_match")
    assert versions["glyph-reader", "1"] == ("Production", "test/accuracy")
    periods = production_history("seq2seq-text-to-text")
    assert [(one.version, one.reason) for one in periods] == [
        ("1", "the first version: there was no holder to beat"),
        ("2", "forced"),
    ]


def test_a_finished_study_tells_its_winner_again_and_trains_nothing(old: Store) -> None:
    runs = len(all_runs())
    done = study(old, "finished")
    assert (done.outcome.model, done.outcome.version, done.outcome.stage) == ("seq2seq-text-to-text", "3", "Staging")
    assert len(all_runs()) == runs


@pytest.mark.nightly
def test_an_interrupted_study_is_resumed(old: Store) -> None:
    from library.framework.tuning.results import stored_studies

    before = stored_studies(old)["interrupted"].study.get_trials(deepcopy=False)
    states = ["COMPLETE", "COMPLETE", "COMPLETE", "COMPLETE", "PRUNED"]
    assert [trial.state.name for trial in before] == [*states, "RUNNING"]
    done = study(old, "interrupted", trials=6)
    trials = done.study.get_trials(deepcopy=False)
    assert [trial.state.name for trial in trials[:6]] == [*states, "FAIL"]
    assert trials[6].params == trials[5].params
    assert trials[6].user_attrs["repeats"] == 5
    assert (done.outcome.model, done.outcome.version) == ("glyph-reader", "2")
    assert [run for run in all_runs() if run.status == "RUNNING"] == []


@pytest.mark.slow
def test_a_run_is_repeated_with_the_same_metrics(old: Store) -> None:
    [run] = [run for run in all_runs() if run.experiment == "glyph-reader" and "study" not in run.tags]
    plan = rerun.plan(run.id[:8])
    assert plan.remarks == ()
    rerun.start(plan)
    _, diff = rerun.repeat(plan, old)
    assert {one.metric for one in diff.metrics} == set(run.model_metrics)
    assert max(one.difference for one in diff.metrics) < 1e-3  # 0 on the processor that it was made on
