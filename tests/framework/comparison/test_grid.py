"""Comparisons: every config trained once from every seed, put side by side, resumed, on real stores."""

from dataclasses import replace
from typing import Any

import keras
import mlflow
import numpy as np
import pytest
from matplotlib.figure import Figure

from library import Comparison, Run, TestResult, TrainingResult
from library.framework import plots
from library.framework.comparison import grid
from library.framework.errors import UserError
from library.framework.statistics import mean_interval, sign_test, wilson_interval
from library.framework.tracking import queries
from library.framework.tracking.store import Store
from tests.tiny import Tiny

# By seed, the number of test examples; by rate and seed, which of them are right.
EXAMPLES = (64, 32)
RIGHT = {
    (0.001, 0): range(16), (0.01, 0): range(10, 32), (0.001, 1): range(24), (0.01, 1): range(4, 32),
}  # fmt: skip


class Scored(Tiny):
    """Is not trained, as its scores are known beforehand; their examples are named with their data."""

    name = "tiny"
    interrupted_at: tuple[float, int] | None = None

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        if (self.config.learning_rate, self.config.units) == self.interrupted_at:
            raise KeyboardInterrupt
        run.log_dataset("points", self.dataset_digest, {"training": self.data.x})
        layers = keras.layers.Dense(self.config.units), keras.layers.Dense(1)
        return TrainingResult(keras.Sequential([keras.Input((2,)), *layers]), {"val/loss": 0.5}, 1)

    def test(self, model: Any, run: Run) -> TestResult:
        rate, seed = self.config.learning_rate, self.config.seed
        scores = {f"{i} in {rate}": float(i in RIGHT[rate, seed]) for i in range(EXAMPLES[seed])}
        share = len(RIGHT[rate, seed]) / EXAMPLES[seed]
        metrics = {"test/exact_match": share, "test/per_character": 0.5 + seed / 4}
        return TestResult(metrics, scores, "test/exact_match")


class Graded(Scored):
    """Has scores that are neither right nor wrong, and a metric that is not their mean, with an interval of its own."""

    name = "tiny"

    def test(self, model: Any, run: Run) -> TestResult:
        factors = 1 if self.config.learning_rate == 0.001 else [1, 1, 3, 0.5, 0.5, 0.5, 0.5, 0.5]
        errors = np.array([1, 2, 3, 4, 5, 6, 7, 12]) * factors
        scores = {str(i): -float(error) for i, error in enumerate(errors)}
        bounds = {"test/median_low": 0.0 + self.config.seed, "test/median_high": 9.0 + self.config.seed}
        metrics = {"test/error": errors.mean(), "test/median": float(np.median(errors)), **bounds}
        return TestResult(metrics, scores, "test/error")


SIZES = Comparison(
    experiment=Scored,
    metric="test/exact_match",
    along=("units", (2, 4)),
    lines=("learning_rate", (0.001, 0.01)),
    fields={"epochs": 1},
    more_metrics=("test/per_character",),
    paired=True,
)
SMALL = replace(SIZES, along=("units", (2,)))


def compare(store: Store, comparison: Comparison = SIZES, seeds: int = 1, **fixed: Any) -> grid.ComparisonResult:
    return comparison.run(store, "sizes", seeds, **fixed)


def runs() -> tuple[list[mlflow.entities.Run], list[mlflow.entities.Run]]:
    """Those of comparisons and those of trainings, oldest first."""
    all_of_them = mlflow.search_runs(experiment_names=["tiny"], output_format="list", order_by=["start_time"])
    trainings = [run for run in all_of_them if "mlflow.parentRunId" in run.data.tags]
    return [run for run in all_of_them if run not in trainings], trainings


def table(run: mlflow.entities.Run, name: str) -> list[dict[str, Any]]:
    """The rows of a run's table."""
    logged = queries.read_json(run.info.run_id, f"tables/{name}.json")
    return [dict(zip(logged["columns"], row, strict=True)) for row in logged["data"]]


def names(run: mlflow.entities.Run, folder: str) -> list[str]:
    return [one.path for one in mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path=folder)]


def test_a_comparison_has_a_row_for_each_config_a_table_and_a_figure(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    draw = plots.interval_lines
    monkeypatch.setattr(grid, "interval_lines", lambda *given: figures.append(draw(*given)) or figures[-1])
    rows = compare(store).rows
    assert [(row["learning_rate"], row["units"]) for row in rows] == [(0.001, 2), (0.001, 4), (0.01, 2), (0.01, 4)]
    assert [row["parameters"] for row in rows] == [9, 17, 9, 17]  # 2 to units to 1, and biases
    for row in rows:
        assert row["seconds"] > 0
        right = len(RIGHT[row["learning_rate"], 0])
        low, high = wilson_interval(right, 64)
        known = {"exact_match": right / 64, "low": low, "high": high, "seeds": [right / 64], "per_character": 0.5}
        assert {key: row[key] for key in known} == known
    [parent], trainings = runs()
    assert (parent.info.run_name, parent.info.status, parent.data.tags["comparison"]) == (
        "comparison sizes",
        "FINISHED",
        "sizes",
    )
    assert parent.data.tags["command"] == "make compare-sizes SEEDS=1"
    logged = table(parent, "comparison")
    assert [list(row) for row in logged] == [list(row) for row in rows]
    for kept, row in zip(logged, rows, strict=True):
        assert list(kept.values()) == [pytest.approx(value) for value in row.values()]
    assert names(parent, "figures") == ["figures/comparison.png"]
    [axes] = figures[0].axes
    assert axes.get_legend_handles_labels()[1] == ["0.001", "0.01"]
    assert [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "o"] == [[0.25] * 2, [0.34375] * 2]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("units", "exact match, with its 95 % interval")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2", "4"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trainings} == {parent.info.run_id}
    assert [run.info.run_name for run in trainings] == [
        f"learning_rate {rate}, units {units}, seed 0" for rate in (0.001, 0.01) for units in (2, 4)
    ]
    for run, row in zip(trainings, rows, strict=True):
        assert run.info.status == "FINISHED"
        expected = Tiny.Config(units=row["units"], learning_rate=row["learning_rate"], **SIZES.fields)
        assert run.data.params == {key: str(value) for key, value in expected.model_dump().items()}
        assert run.data.params["units"] == str(row["units"])


@pytest.mark.slow
def test_seeds_are_averaged_and_lines_are_paired_example_by_example(store: Store) -> None:
    first = compare(store, SMALL)
    done = compare(store, SMALL, seeds=2)
    assert [run.data.params["seed"] for run in runs()[1]] == ["0", "0", "1", "1"]
    assert [row["units"] for row in done.rows] == [2, 2]
    for row, right, seeds in zip(done.rows, (20, 25), ([0.25, 0.75], [0.34375, 0.875]), strict=True):
        low, high = wilson_interval(right, 48)  # of as many examples as one seed has on average
        assert row["exact_match"] == pytest.approx(np.mean(seeds))
        assert (row["low"], row["high"], row["seeds"]) == (low, high, seeds)
        assert row["per_character"] == pytest.approx((0.5 + 0.75) / 2)

    # With seed 0 the first alone is right on 0 to 9 and the second alone on 16 to 31; with seed 1 on 0 to 3, 24 to 31.
    counts = {"examples": 96, "only_first": 14, "only_second": 24, "both_right": 26, "neither_right": 32}
    p_value = sign_test(7, 12)  # as often as with one seed, on average
    assert done.pairs == [{"units": 2, "first": 0.001, "second": 0.01, **counts, "p_value": p_value}]
    assert first.pairs[0]["examples"] == 64
    assert table(runs()[0][1], "pairs") == [pytest.approx(pair) for pair in done.pairs]
    heading = "| units | first | second | examples | only first | only second | both right | neither right | p value |"
    row = f"| 2 | 0.0010 | 0.0100 | 96 | 14 | 24 | 26 | 32 | {p_value:.2g} |"
    assert done.markdown().splitlines()[-5:] == [
        "On the same examples", "", heading, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |", row,
    ]  # fmt: skip


@pytest.mark.slow
def test_an_experiment_of_ones_own_is_compared_along_one_field(store: Store) -> None:
    comparison = Comparison(experiment=Tiny, metric="test/accuracy", along=("units", (2, 4)), fields={"epochs": 1})
    done = comparison.run(store)
    [parent], trainings = runs()
    assert (parent.info.run_name, names(parent, "figures")) == ("comparison tiny", ["figures/comparison.png"])
    assert [run.info.run_name for run in trainings] == ["units 2, seed 0", "units 4, seed 0"]
    assert done.pairs == []
    for row, run in zip(done.rows, trainings, strict=True):
        accuracy = run.data.metrics["test/accuracy"]
        assert list(row) == ["units", "accuracy", "low", "high", "seeds", "parameters", "seconds"]
        assert (row["accuracy"], row["seeds"]) == (accuracy, [accuracy])
        assert (row["low"], row["high"]) == wilson_interval(round(64 * accuracy), 64)
    assert done.markdown().splitlines()[0] == "| units | accuracy | low | high | seeds | parameters | seconds |"


@pytest.mark.slow
def test_a_metric_need_not_be_the_mean_of_the_scores_nor_scores_right_or_wrong(store: Store) -> None:
    errors = replace(SMALL, experiment=Graded, metric="test/error", more_metrics=())
    done = compare(store, errors, seeds=2)
    assert [row["error"] for row in done.rows] == [5, 29 / 8]
    assert (done.rows[0]["low"], done.rows[0]["high"]) == pytest.approx(mean_interval([1, 2, 3, 4, 5, 6, 7, 12]))
    counts = {"examples": 16, "first_higher": 2, "second_higher": 10, "equal": 4, "p_value": sign_test(1, 5)}
    assert done.pairs == [{"units": 2, "first": 0.001, "second": 0.01, **counts}]
    heading = "| units | first | second | examples | first higher | second higher | equal | p value |"
    assert heading in done.markdown().splitlines()

    medians = compare(store, replace(errors, metric="test/median"), seeds=2)
    assert [(row["median"], row["low"], row["high"]) for row in medians.rows] == [(4.5, 0.5, 9.5), (2.75, 0.5, 9.5)]
    without = compare(store, replace(errors, metric="test/median_low"), seeds=2)
    assert [(row["median_low"], row["low"], row["high"]) for row in without.rows] == [(0.5, None, None)] * 2
    assert " | - | - | " in without.markdown()
    assert without.pairs == medians.pairs == done.pairs
    assert len(runs()[1]) == 4


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on_where_it_was_and_a_changed_field_trains_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scored, "interrupted_at", (0.001, 4))
    with pytest.raises(KeyboardInterrupt):
        compare(store)
    [parent], trainings = runs()
    assert parent.info.status == "KILLED"
    assert [run.info.status for run in trainings] == ["FINISHED", "KILLED"]
    assert [row["units"] for row in table(parent, "comparison")] == [2]

    monkeypatch.setattr(Scored, "interrupted_at", None)
    rows = compare(store).rows
    again = [(run.data.params["learning_rate"], run.data.params["units"]) for run in runs()[1][2:]]
    assert again == [("0.001", "4"), ("0.01", "2"), ("0.01", "4")]

    # What was trained before is not trained again; a compared field that is fixed keeps the configs of its value.
    assert compare(store, units="4").rows == rows[1::2]
    assert compare(store, learning_rate=0.01).pairs == []
    assert compare(store, replace(SIZES, paired=False)).pairs == []
    parents, trainings = runs()
    assert names(parents[-1], "tables") == ["tables/comparison.json"]
    assert [run.info.status for run in parents] == ["KILLED", *["FINISHED"] * 4]
    assert len(trainings) == 5

    one = replace(SMALL, lines=None)
    for field, value in {"steps_per_epoch": 3, "data_seed": 1}.items():
        compare(store, one, learning_rate=0.01, **{field: value})
        parents, trainings = runs()
        assert parents[-1].data.tags["command"].endswith(f"sizes SEEDS=1 LEARNING_RATE=0.01 {field.upper()}={value}")
        changed = [run.data.params[field] == str(value) for run in trainings]
        assert changed == [False] * (len(trainings) - 1) + [True]


def test_fields_that_cannot_be_fixed_are_refused_before_a_run_begins(store: Store) -> None:
    for (field, value), message in {
        ("units", 8): "^units: got 8; compared are 2, 4$",
        ("learning_rate", 0.1): r"^learning_rate: got 0\.1; compared are 0\.001, 0\.01$",
        ("seed", 3): "^seed: got 3; a comparison trains from seed 0 on, give SEEDS=how many$",
        ("unit", 3): r"^unknown field 'unit'; did you mean units\?$",
        ("batch_size", 0): "^batch_size: got 0; allowed is greater than or equal to 1$",
    }.items():
        with pytest.raises(UserError, match=message):
            compare(store, **{field: value})
    assert mlflow.get_experiment_by_name("tiny") is None


class Worsening(Scored):
    """Is best after its first epoch of two."""

    name = "tiny"

    def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
        for epoch, loss in enumerate((0.3, 0.7), start=1):
            run.log_metrics({"val/loss": loss}, step=epoch)
        return replace(super().fit(run, callbacks), metrics={"val/loss": 0.3}, epoch=1)


def test_a_score_of_epochs_is_that_of_the_best_one_in_new_and_in_earlier_runs(store: Store) -> None:
    losses = replace(SMALL, experiment=Worsening, metric="val/loss", paired=False)
    new, earlier = compare(store, losses), compare(store, losses)
    assert [row["val/loss"] for row in new.rows] == [0.3, 0.3]
    assert earlier.rows == new.rows
    assert len(runs()[1]) == 2


def test_a_metric_that_no_run_recorded_is_named_with_those_that_are(store: Store) -> None:
    with pytest.raises(UserError, match=r"^run \w{32}: did not record 'val/f1'; it recorded .*test/exact_match, "):
        compare(store, replace(SMALL, metric="val/f1"))
    assert len(runs()[1]) == 1
