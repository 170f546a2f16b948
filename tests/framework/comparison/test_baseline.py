"""Baselines: trained for as long as the defaults took, scored alike, put side by side, gone on with; on real stores."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mlflow
import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.__main__ import main
from library.framework import discovery
from library.framework.cli import output
from library.framework.comparison import baseline
from library.framework.comparison.spec import Baseline
from library.framework.errors import UserError
from library.framework.experiment import Result, Scores
from library.framework.options import ComparisonOptions
from library.framework.run import Callbacks, Run
from library.framework.tracking import queries
from library.framework.tracking.store import Store
from tests import tiny

PLAIN = Baseline(
    experiment="tiny", fields={"units": 8, "schedule": "constant", "epochs": 10_000}, figures=("error", "answers")
)
SHIPPED = {
    name: comparison
    for name in discovery.names("experiments.comparisons")
    if isinstance(comparison := discovery.find_comparison(name), Baseline)
}
# What must not differ, or scores could not be compared.
ALIKE = {"seed", "cats", "images", "features", "validation_samples", "test_samples", "latent_size", "batch_size"}


def scored(config: tiny.Config, _: Any, run: Run) -> Scores:
    """Known beforehand: less error with more units, under names as experiments of cats give them."""
    for name in ("error", "answers"):
        run.log_figure(name, Figure(figsize=(4, 1)))
    scores = {"error_net": 1 / config.units, "error_standard_error_net": 0.25, "best/error_net": 0.0}
    own = {"test/only_theirs": 1.0} if config.units == 8 else {}
    return Scores({**{f"test/{name}": value for name, value in scores.items()}, **own}, {})


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny experiment is the one that is measured."""
    monkeypatch.setattr(discovery, "find", {"tiny": replace(tiny.experiment, test=scored)}.__getitem__)


def measure(store: Store, seeds: int = 1, **fixed: Any) -> list[baseline.Row]:
    return baseline.measure("plain", PLAIN, {"epochs": 2, **fixed}, ComparisonOptions(seeds=seeds), store)


def runs() -> list[mlflow.entities.Run]:
    return mlflow.search_runs(experiment_names=["tiny"], output_format="list", order_by=["start_time"])


def test_both_are_scored_alike_and_put_side_by_side(store: Store) -> None:
    ours, theirs = measure(store)
    assert list(ours) == ["config", "seed", "parameters", "seconds", "error_net", "error_standard_error_net"]
    assert (ours["config"], ours["seed"], ours["parameters"], ours["error_net"]) == ("default", 0, 17, 0.25)
    assert (theirs["config"], theirs["seed"], theirs["parameters"], theirs["error_net"]) == ("baseline", 0, 33, 0.125)
    parent, *trainings = runs()
    assert (parent.info.run_name, parent.info.status, parent.data.tags["comparison"]) == ("plain", "FINISHED", "plain")
    table = queries.read_json(parent.info.run_id, "tables/comparison.json")
    assert table["columns"] == list(ours)
    assert [row[:2] for row in table["data"]] == [["default", 0], ["baseline", 0]]
    pictures = mlflow.artifacts.list_artifacts(run_id=parent.info.run_id, artifact_path="figures")
    assert [picture.path for picture in pictures] == [f"figures/{name}.png" for name in ("answers", "error", "scores")]
    assert [run.info.run_name for run in trainings] == ["default, seed 0", "baseline, seed 0"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trainings} == {parent.info.run_id}
    assert len({run.data.tags["data.digest"] for run in trainings}) == 1


def test_the_baseline_trains_for_as_long_as_the_defaults_took(store: Store) -> None:
    measure(store)
    _, ours, theirs = runs()
    minutes = float(theirs.data.params["minutes"])
    seconds = ours.data.metrics["time/training_seconds"]
    assert minutes == max(0.001, round(seconds / 60, 3))
    assert theirs.data.metrics["time/training_seconds"] >= 60 * minutes
    assert 0 < len(mlflow.MlflowClient().get_metric_history(theirs.info.run_id, "val/loss")) < 10_000
    same = {"batch_size", "steps_per_epoch", "data_seed", "seed", "learning_rate"}
    assert {name: ours.data.params[name] for name in same} == {name: theirs.data.params[name] for name in same}
    changed = {"units": ("4", "8"), "schedule": ("cosine", "constant"), "epochs": ("2", "10000")}
    assert {name: (ours.data.params[name], theirs.data.params[name]) for name in changed} == changed


def test_what_is_fixed_is_so_for_both_but_for_the_baselines_own(store: Store) -> None:
    measure(store, units=2, data_seed="7")
    _, ours, theirs = runs()
    assert [(run.data.params["units"], run.data.params["data_seed"]) for run in (ours, theirs)] == [
        ("2", "7"),
        ("8", "7"),
    ]


def test_what_was_trained_before_is_not_trained_again(store: Store) -> None:
    first = measure(store)
    assert measure(store) == first
    assert len(runs()) == 4  # two trainings and two comparisons
    again = measure(store, seeds=2)
    assert again[:2] == first
    assert [(row["config"], row["seed"]) for row in again[2:]] == [("default", 1), ("baseline", 1)]
    assert len(runs()) == 7


def test_an_interrupted_baseline_goes_on_where_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(config: tiny.Config, run: Run, callbacks: Callbacks) -> Result:
        if config.units == 8:
            raise KeyboardInterrupt
        return tiny.train(config, run, callbacks)

    interrupted = replace(tiny.experiment, test=scored, train=train)
    with monkeypatch.context() as patch:
        patch.setattr(discovery, "find", {"tiny": interrupted}.__getitem__)
        with pytest.raises(KeyboardInterrupt):
            measure(store)
    assert [run.info.status for run in runs()] == ["KILLED", "FINISHED", "KILLED"]
    assert len(measure(store)) == 2
    assert [run.info.run_name for run in runs()[3:]] == ["plain", "baseline, seed 0"]


def test_a_seed_cannot_be_fixed(store: Store) -> None:
    with pytest.raises(UserError, match=r"^seed: got 3; a comparison trains from seed 0 on, give SEEDS=how many$"):
        measure(store, seed=3)
    assert mlflow.get_experiment_by_name("tiny") is None


def row(config: str, **scores: float) -> Mapping[str, Any]:
    return {"config": config, "seed": 0, "parameters": 1_234_567.0, "seconds": 59.96, **scores}


def test_the_table_shows_errors_beside_scores_and_what_of_the_baselines_the_defaults_have(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours = row("default", kid_net=0.25, kid_standard_error_net=0.01, share=0.5)
    theirs = row("baseline", kid_net=0.5, kid_standard_error_net=0.02, share=0.0)
    output.measured([ours, theirs])
    assert capsys.readouterr().out.splitlines() == [
        "| | default, seed 0 | baseline, seed 0 | default / baseline |",
        "|---|---|---|---|",
        "| parameters | 1,234,567 | 1,234,567 | 1.000 |",
        "| seconds | 59.96 | 59.96 | 1.000 |",
        "| kid_net | 0.25 ± 0.01 | 0.5 ± 0.02 | 0.500 |",
        "| share | 0.5 | 0 | - |",
    ]
    output.measured([ours, theirs, ours, theirs])
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "|---|---|---|---|---|",
        "| parameters | 1,234,567 | 1,234,567 | 1,234,567 | 1,234,567 |",
    ]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_baseline_is_trained_on_the_same_and_scored_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    baseline = SHIPPED[name]
    ours, theirs = baseline.configs(discovery.find(baseline.experiment), {"cats": "there"}, seed=1)
    assert {key for key in ALIKE if getattr(ours, key) != getattr(theirs, key)} == set()
    assert ours == discovery.find(baseline.experiment).config(cats="there", seed=1)
    assert (theirs.filters, theirs.schedule, theirs.warmup, theirs.patience) == ("128-128-128", "constant", 0, 0)
    assert theirs.epochs > 10_000


def test_a_field_that_does_not_exist_is_told_before_a_run_begins(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert main(["compare", "vae-baseline", "--beta=-1"]) == 2
    assert capsys.readouterr().err == "error: beta: got '-1'; allowed is greater than or equal to 0\n"


def test_pictures_of_two_runs_keep_their_shapes() -> None:
    from library.framework.plots import pictures

    for shape, places in (((20, 90, 4), (2, 1)), ((50, 50, 4), (1, 2))):
        figure = pictures({"default": np.zeros(shape), "baseline": np.ones(shape)})
        assert [axes.get_title() for axes in figure.axes] == ["default", "baseline"]
        assert [axes.images[0].get_array().shape for axes in figure.axes] == [shape, shape]
        grid = figure.axes[0].get_gridspec()
        assert (grid.nrows, grid.ncols) == places
