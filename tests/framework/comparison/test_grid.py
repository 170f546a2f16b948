"""Comparisons: every config trained once from every seed, put side by side, gone on with, on real stores."""

from dataclasses import replace
from typing import Any

import mlflow
import pytest

from library.framework import discovery
from library.framework.cli import output
from library.framework.comparison import grid
from library.framework.comparison.spec import Comparison
from library.framework.errors import UserError
from library.framework.experiment import Result, Scores
from library.framework.options import ComparisonOptions
from library.framework.run import Callbacks, Run
from library.framework.statistics import sign_test, wilson_interval
from library.framework.tracking import queries
from library.framework.tracking.store import Store
from tests import tiny

SIZES = Comparison(
    experiment="tiny",
    along=("units", (2, 4)),
    lines=("learning_rate", (0.001, 0.01)),
    fields={"epochs": 1},
    paired=True,
)
SMALL = replace(SIZES, along=("units", (2,)))
# Of each seed: so many test examples, so many of them right.
QUERIES, RIGHT = (64, 32), (16, 24)
# By rate and seed. Not as many as are not right, as there is no need.
WRONG = {(0.001, 0): "abc", (0.01, 0): "cdefghijklm", (0.001, 1): "abcd", (0.01, 1): "dxyz"}


def scored(config: tiny.Config, _: Any, run: Run) -> Scores:
    """What a comparison asks of a test, known beforehand."""
    wrong = WRONG[config.learning_rate, config.seed]
    run.log_table("wrong-answers", {"answer": ["?"] * len(wrong), "query": list(wrong)})
    share = RIGHT[config.seed] / QUERIES[config.seed]
    queries = float(QUERIES[config.seed])
    return Scores({"test/exact_match": share, "test/per_character": 0.5 + config.seed / 4, "test/queries": queries}, {})


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny experiment is the one that is compared."""
    experiment = replace(tiny.experiment, test=scored)
    monkeypatch.setattr(discovery, "find", {"tiny": experiment}.__getitem__)


def compare(store: Store, comparison: Comparison = SIZES, seeds: int = 1, **fixed: Any) -> grid.Compared:
    return grid.compare("sizes", comparison, fixed, ComparisonOptions(seeds=seeds), store)


def runs() -> tuple[list[mlflow.entities.Run], list[mlflow.entities.Run]]:
    """Those of comparisons and those of trainings, oldest first."""
    all_of_them = mlflow.search_runs(experiment_names=["tiny"], output_format="list", order_by=["start_time"])
    trainings = [run for run in all_of_them if "mlflow.parentRunId" in run.data.tags]
    return [run for run in all_of_them if run not in trainings], trainings


def interrupt(monkeypatch: pytest.MonkeyPatch, error: BaseException, at: int) -> None:
    """Has one training fail."""
    began: list[tiny.Config] = []

    def train(config: tiny.Config, run: Run, callbacks: Callbacks) -> Result:
        began.append(config)
        if len(began) == at:
            raise error
        return tiny.train(config, run, callbacks)

    monkeypatch.setattr(discovery, "find", lambda _: replace(tiny.experiment, test=scored, train=train))


def test_a_comparison_has_a_row_for_each_config_a_table_and_a_figure(store: Store) -> None:
    rows = compare(store).rows
    assert [(row["learning_rate"], row["units"]) for row in rows] == [(0.001, 2), (0.001, 4), (0.01, 2), (0.01, 4)]
    assert [row["parameters"] for row in rows] == [9, 17, 9, 17]  # 2 to units to 1, and biases
    low, high = wilson_interval(16, 64)
    for row in rows:
        assert row["seconds"] > 0
        known = {"exact_match": 0.25, "low": low, "high": high, "seeds": [0.25], "per_character": 0.5}
        assert {key: row[key] for key in known} == known
    [parent], trainings = runs()
    assert (parent.info.run_name, parent.info.status, parent.data.tags["comparison"]) == ("sizes", "FINISHED", "sizes")
    assert parent.data.tags["command"] == "make compare-sizes SEEDS=1"
    table = queries.read_json(parent.info.run_id, "tables/comparison.json")
    assert table["columns"] == list(rows[0])
    for told, row in zip(table["data"], rows, strict=True):
        assert told == [pytest.approx(value) for value in row.values()]
    pictures = mlflow.artifacts.list_artifacts(run_id=parent.info.run_id, artifact_path="figures")
    assert [picture.path for picture in pictures] == ["figures/comparison.png"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trainings} == {parent.info.run_id}
    assert [run.info.run_name for run in trainings] == [
        f"learning_rate {rate}, units {units}, seed 0" for rate in (0.001, 0.01) for units in (2, 4)
    ]
    for run, row in zip(trainings, rows, strict=True):
        assert run.info.status == "FINISHED"
        expected = tiny.Config(units=row["units"], learning_rate=row["learning_rate"], epochs=1)
        assert run.data.params == {key: str(value) for key, value in expected.model_dump().items()}
        assert f"UNITS={row['units']}" in run.data.tags["command"]


def test_seeds_are_pooled_example_by_example(store: Store) -> None:
    rows = compare(store, SMALL, seeds=2).rows
    assert [row["units"] for row in rows] == [2, 2]
    low, high = wilson_interval(20, 48)  # of as many examples as one seed has on average
    for row in rows:
        assert row["exact_match"] == pytest.approx(40 / 96)
        assert (row["low"], row["high"], row["seeds"]) == (low, high, [0.25, 0.75])
        assert row["per_character"] == pytest.approx((0.5 + 0.75) / 2)
    assert [run.data.params["seed"] for run in runs()[1]] == ["0", "1", "0", "1"]


def test_lines_are_paired_query_by_query_at_each_place_of_the_axis(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    done = compare(store, seeds=2)
    # Only the second is wrong on d to m, and on x, y and z; only the first on a and b, and on a, b and c.
    counts = {"queries": 96, "both": 76, "only_first": 13, "only_second": 5, "neither": 2}
    p_value = sign_test(6, 2)  # as often as one seed was, on average: 6.5, and 2.5, to the even ones
    counts |= {"p_value": p_value}
    assert done.pairs == [{"units": units, "first": 0.001, "second": 0.01, **counts} for units in (2, 4)]
    [parent], _ = runs()
    table = queries.read_json(parent.info.run_id, "tables/pairs.json")
    assert [dict(zip(table["columns"], row, strict=True)) for row in table["data"]] == done.pairs
    output.compared(done)
    told = capsys.readouterr().out.splitlines()
    heading = "| units | first | second | asked | both right | only first | only second | none | p |"
    rows = [f"| {units} | 0.001 | 0.01 | 96 | 76 | 13 | 5 | 2 | {p_value:.2g} |" for units in (2, 4)]
    assert told[-4:] == [heading, "|---|---|---|---|---|---|---|---|---|", *rows]
    assert compare(store, learning_rate=0.01).pairs == []


def test_lines_that_are_not_asked_the_same_are_not_paired(store: Store) -> None:
    assert compare(store, replace(SIZES, paired=False)).pairs == []
    [parent], _ = runs()
    tables = mlflow.artifacts.list_artifacts(run_id=parent.info.run_id, artifact_path="tables")
    assert [table.path for table in tables] == ["tables/comparison.json"]


def test_what_was_trained_before_is_not_trained_again(store: Store) -> None:
    first = compare(store, SMALL).rows
    assert compare(store, SMALL).rows == first
    parents, trainings = runs()
    assert (len(parents), len(trainings)) == (2, 2)
    assert compare(store).rows[::2] == first  # twice as many configs, half of which are known
    assert [run.data.params["units"] for run in runs()[1]] == ["2", "2", "4", "4"]
    compare(store, SMALL, seeds=2)
    assert [run.data.params["seed"] for run in runs()[1]] == ["0", "0", "0", "0", "1", "1"]
    assert [run.info.status for run in runs()[0]] == ["FINISHED"] * 4


@pytest.mark.parametrize("changed", [{"steps_per_epoch": 2}, {"data_seed": 1}])
def test_a_changed_field_trains_again(store: Store, changed: dict[str, int]) -> None:
    compare(store, SMALL)
    compare(store, SMALL, **changed)
    [_, parent], trainings = runs()
    [(field, value)] = changed.items()
    assert parent.data.tags["command"].endswith(f"sizes SEEDS=1 {field.upper()}={value}")
    assert [run.data.params[field] == str(value) for run in trainings] == [False, False, True, True]


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_an_interrupted_comparison_goes_on_where_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: str
) -> None:
    interrupt(monkeypatch, error, at=2)
    with pytest.raises(type(error)):
        compare(store)
    [parent], trainings = runs()
    assert parent.info.status == status
    assert [run.info.status for run in trainings] == ["FINISHED", status]
    table = queries.read_json(parent.info.run_id, "tables/comparison.json")
    assert [row[table["columns"].index("units")] for row in table["data"]] == [2]

    assert len(compare(store).rows) == 4
    assert [run.info.status for run in runs()[0]] == [status, "FINISHED"]
    again = [(run.data.params["learning_rate"], run.data.params["units"]) for run in runs()[1][2:]]
    assert again == [("0.001", "4"), ("0.01", "2"), ("0.01", "4")]


@pytest.mark.parametrize(
    ("fixed", "told"),
    [
        ({"units": 8}, "^units: got 8; compared are 2, 4$"),
        ({"learning_rate": 0.1}, r"^learning_rate: got 0\.1; compared are 0\.001, 0\.01$"),
        ({"seed": 3}, "^seed: got 3; a comparison trains from seed 0 on, give SEEDS=how many$"),
        ({"unit": 3}, "^unknown field 'unit'; allowed are seed, epochs,"),
        ({"batch_size": 0}, "^batch_size: got 0; allowed is greater than or equal to 1$"),
    ],
)
def test_fields_that_cannot_be_fixed_are_told_before_a_run_begins(
    store: Store, fixed: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told) as caught:
        compare(store, **fixed)
    assert len(str(caught.value).splitlines()) == 1
    assert mlflow.get_experiment_by_name("tiny") is None


def test_a_compared_field_that_is_fixed_keeps_the_configs_of_its_value(store: Store) -> None:
    rows = compare(store, units="4").rows
    assert [(row["learning_rate"], row["units"]) for row in rows] == [(0.001, 4), (0.01, 4)]
    assert len(runs()[1]) == 2
