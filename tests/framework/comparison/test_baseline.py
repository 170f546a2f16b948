"""Baselines: trained for as long as the defaults, scored alike, put side by side, resumed; on real stores."""

from typing import Any

import mlflow
import numpy as np
import pytest
from matplotlib.figure import Figure

from library import Baseline, Run, TestResult, TrainingResult
from library.framework import discovery, plots
from library.framework.comparison.baseline import BaselineResult
from library.framework.errors import UserError
from library.framework.tracking import queries
from library.framework.tracking.store import Store
from tests.tiny import Tiny

SHIPPED = {
    name: comparison
    for name in discovery.names("experiments.comparisons")
    if isinstance(comparison := discovery.find_comparison(name), Baseline)
}
# What must not differ, or scores could not be compared.
ALIKE = {"seed", "cats", "images", "features", "validation_samples", "test_samples", "latent_size", "batch_size"}


class Scored(Tiny):
    """Has scores that are known beforehand: less error with more units, under names as experiments of cats have."""

    name = "tiny"
    is_interrupted = False

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        if self.is_interrupted and self.config.units == 8:
            raise KeyboardInterrupt
        return super().fit(run, callbacks)

    def test(self, model: Any, run: Run) -> TestResult:
        for name in ("error", "answers"):
            run.log_figure(name, Figure(figsize=(4, 1)))
        scores = {"error_net": 1 / self.config.units, "error_standard_error_net": 0.25, "best/error_net": 0.0}
        own = {"test/only_of_the_baseline": 1.0} if self.config.units == 8 else {}
        return TestResult({**{f"test/{name}": value for name, value in scores.items()}, **own}, {})


PLAIN = Baseline(
    experiment=Scored, fields={"units": 8, "schedule": "constant", "epochs": 10_000}, figures=("error", "answers")
)


def measure(store: Store, seeds: int = 1, **fixed: Any) -> list[dict[str, Any]]:
    return PLAIN.run(store, "plain", seeds, **{"epochs": 1, "steps_per_epoch": 1, **fixed}).rows


def runs() -> list[mlflow.entities.Run]:
    return mlflow.search_runs(experiment_names=["tiny"], output_format="list", order_by=["start_time"])


def params(names: set[str]) -> list[dict[str, str]]:
    """Those params of the default's and of the baseline's training."""
    return [{name: run.data.params[name] for name in names} for run in runs()[1:3]]


@pytest.mark.slow
def test_both_are_trained_for_the_same_time_scored_alike_and_put_side_by_side(store: Store) -> None:
    first = default, other = measure(store)
    assert list(default) == ["config", "seed", "parameters", "seconds", "error_net", "error_standard_error_net"]
    about = ("config", "seed", "parameters", "error_net")
    assert [[row[name] for name in about] for row in first] == [["default", 0, 17, 0.25], ["baseline", 0, 33, 0.125]]
    parent, *trainings = runs()
    assert (parent.info.run_name, parent.info.status, parent.data.tags["comparison"]) == (
        "comparison plain",
        "FINISHED",
        "plain",
    )
    table = queries.read_json(parent.info.run_id, "tables/comparison.json")
    assert table["columns"] == list(default)
    assert [row[:2] for row in table["data"]] == [["default", 0], ["baseline", 0]]
    figures = mlflow.artifacts.list_artifacts(run_id=parent.info.run_id, artifact_path="figures")
    assert [figure.path for figure in figures] == [f"figures/{name}.png" for name in ("answers", "error", "scores")]
    assert [run.info.run_name for run in trainings] == ["default, seed 0", "baseline, seed 0"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trainings} == {parent.info.run_id}
    assert len({run.data.tags["data.digest"] for run in trainings}) == 1

    minutes = float(trainings[1].data.params["minutes"])
    assert minutes == max(0.001, round(default["seconds"] / 60, 3))
    assert other["seconds"] == trainings[1].data.metrics["time/training_seconds"] >= 60 * minutes
    assert 0 < len(queries.metric_history(trainings[1].info.run_id, "val/loss")) < 10_000
    same, baselines = params({"batch_size", "steps_per_epoch", "data_seed", "seed", "learning_rate"})
    assert same == baselines
    assert params({"units", "schedule", "epochs"}) == [
        {"units": "4", "schedule": "cosine", "epochs": "1"}, {"units": "8", "schedule": "constant", "epochs": "10000"},
    ]  # fmt: skip

    assert measure(store) == first  # what was trained before is not trained again
    assert len(runs()) == 4  # two trainings and two comparisons
    again = measure(store, seeds=2)
    assert again[:2] == first
    assert [(row["config"], row["seed"]) for row in again[2:]] == [("default", 1), ("baseline", 1)]
    assert len(runs()) == 7


@pytest.mark.slow
def test_an_interrupted_baseline_goes_on_where_it_was_and_both_have_what_is_fixed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Scored, "is_interrupted", True)
        with pytest.raises(KeyboardInterrupt):
            measure(store, units=2, data_seed="7")
    assert [run.info.status for run in runs()] == ["KILLED", "FINISHED", "KILLED"]
    assert len(measure(store, units=2, data_seed="7")) == 2
    assert [run.info.run_name for run in runs()[3:]] == ["comparison plain", "baseline, seed 0"]
    assert params({"units", "data_seed"}) == [{"units": "2", "data_seed": "7"}, {"units": "8", "data_seed": "7"}]


def test_a_seed_and_values_that_are_not_allowed_are_refused_before_a_run_begins(store: Store, refused: Any) -> None:
    with pytest.raises(UserError, match=r"^seed: got 3; a comparison trains from seed 0 on, give SEEDS=how many$"):
        measure(store, seed=3)
    assert mlflow.get_experiment_by_name("tiny") is None
    error = refused(["compare", "vae-baseline", "--beta=-1"])
    assert error == "error: beta: got '-1'; allowed is greater than or equal to 0\n"


def test_the_table_has_errors_beside_scores_and_the_ratio_of_the_default_to_the_baseline() -> None:
    both = {"seed": 0, "parameters": 1_234_567.0, "seconds": 59.96}
    default = {"config": "default", **both, "kid_net": 0.25, "kid_standard_error_net": 0.01, "share": 0.5}
    other = {"config": "baseline", **both, "kid_net": 0.5, "kid_standard_error_net": 0.02, "share": 0.0}
    assert BaselineResult([default, other]).markdown().splitlines() == [
        "| | default, seed 0 | baseline, seed 0 | default / baseline |",
        "|---|---|---|---|",
        "| parameters | 1,234,567 | 1,234,567 | 1.000 |",
        "| seconds | 59.96 | 59.96 | 1.000 |",
        "| kid_net | 0.25 ± 0.01 | 0.5 ± 0.02 | 0.500 |",
        "| share | 0.5 | 0 | - |",
    ]
    assert BaselineResult([default, other] * 2).markdown().splitlines()[1:3] == [
        "|---|---|---|---|---|",
        "| parameters | 1,234,567 | 1,234,567 | 1,234,567 | 1,234,567 |",
    ]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_baseline_is_trained_on_the_same_data_and_scored_alike(name: str) -> None:
    default, other = (one.config for one in SHIPPED[name].experiments({"cats": "there"}, seed=1))
    assert {key for key in ALIKE if getattr(default, key) != getattr(other, key)} == set()
    assert default == SHIPPED[name].experiment_type.Config(cats="there", seed=1)
    assert (other.filters, other.schedule, other.warmup, other.patience) == ("128-128-128", "constant", 0, 0)
    assert other.epochs > 10_000


def test_figures_of_two_runs_keep_their_shapes() -> None:
    for shape, places in (((20, 90, 4), (2, 1)), ((50, 50, 4), (1, 2))):
        figure = plots.side_by_side({"default": np.zeros(shape), "baseline": np.ones(shape)})
        assert [axes.get_title() for axes in figure.axes] == ["default", "baseline"]
        assert [axes.images[0].get_array().shape for axes in figure.axes] == [shape, shape]
        grid = figure.axes[0].get_gridspec()
        assert (grid.nrows, grid.ncols) == places
