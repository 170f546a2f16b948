"""One experiment trained side by side under several configs: a parent run, tables and a figure.

What was trained before, from the same fields on the same data, is not trained again: an interrupted comparison goes
on where it was, and one that was run in parts is put together.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from .. import discovery
from ..config import Config
from ..options import ComparisonOptions
from ..plots import interval_lines
from ..run import columns_of
from ..statistics import sign_test, wilson_interval
from ..tracking import queries
from ..tracking.store import Store
from .spec import Comparison
from .trainings import Trained, started, train_once

Row = dict[str, Any]
Cell = tuple[Config, Sequence[Trained]]
"""A config, and what came of it from each seed."""


@dataclass(frozen=True)
class Compared:
    """What came of a comparison.

    Attributes:
        rows: of each config both compared fields, `exact_match` over all seeds' test queries with the 95 % interval
            `low` to `high` that it has on the test queries of one, each seed's own in `seeds`, and means of
            `per_character`, `parameters` and `seconds`.
        pairs: of each two lines at a place of the axis, if they are paired, how many `queries` they were asked, from
            all seeds, and how many of these `both` answered rightly, `only_first`, `only_second` and `neither`;
            `p_value` is that of the exact sign test (McNemar's) on as many where they differ as one seed has.
    """

    rows: list[Row]
    pairs: list[Row]


def compare(
    name: str, comparison: Comparison, fixed: Mapping[str, Any], options: ComparisonOptions, store: Store
) -> Compared:
    """Trains and tests every config from every seed.

    The experiment's `test` must report `test/exact_match`, `test/per_character` and `test/queries`.
    """
    experiment = discovery.find(comparison.experiment)
    configs = [list(comparison.configs(experiment, fixed, seed)) for seed in range(options.seeds)]
    cells, rows = list[Cell](), list[Row]()
    with started(name, comparison, [config for of_seed in configs for config in of_seed], fixed, options, store) as run:
        for same in zip(*configs, strict=True):
            labels = [_label(comparison, config) for config in same]
            trained = [
                train_once(comparison.experiment, experiment, config, label, store, run)
                for config, label in zip(same, labels, strict=True)
            ]
            cells.append((same[0], trained))
            rows.append(_row(comparison, *cells[-1]))
            run.log_table("comparison", columns_of(rows))
        run.log_figure("comparison", _figure(comparison, rows))
        pairs = [_pair(comparison, *pair) for pair in _paired(comparison, cells)]
        if pairs:
            run.log_table("pairs", columns_of(pairs))
    return Compared(rows, pairs)


def _label(comparison: Comparison, config: Config) -> str:
    return ", ".join(f"{one} {getattr(config, one)}" for one in (comparison.lines[0], comparison.along[0], "seed"))


def _row(comparison: Comparison, config: Config, trained: Sequence[Trained]) -> Row:
    scores = [one.metrics for one in trained]
    examples = sum(metrics["test/queries"] for metrics in scores)
    right = sum(metrics["test/queries"] * metrics["test/exact_match"] for metrics in scores)
    # Of as many examples as one seed has: the others were asked the same ones.
    one = examples / len(trained)
    low, high = wilson_interval(round(right / len(trained)), round(one))
    means = {
        column: sum(metrics[metric] for metrics in scores) / len(scores)
        for column, metric in (
            ("per_character", "test/per_character"),
            ("parameters", "model/parameters"),
            ("seconds", "time/training_seconds"),
        )
    }
    compared = {one: getattr(config, one) for one in (comparison.lines[0], comparison.along[0])}
    seeds = [metrics["test/exact_match"] for metrics in scores]
    return {**compared, "exact_match": right / examples, "low": low, "high": high, "seeds": seeds, **means}


def _paired(comparison: Comparison, cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """Each two lines at one place of the axis."""
    axis, pairs = comparison.along[0], itertools.combinations(cells, 2)
    return [pair for pair in pairs if comparison.paired and len({getattr(config, axis) for config, _ in pair}) == 1]


def _pair(comparison: Comparison, one: Cell, other: Cell) -> Row:
    (axis, _), (line, _) = comparison.along, comparison.lines
    queries = round(sum(trained.metrics["test/queries"] for trained in one[1]))
    wrong = [(_wrong(first), _wrong(second)) for first, second in zip(one[1], other[1], strict=True)]
    only_first = sum(len(second - first) for first, second in wrong)
    only_second = sum(len(first - second) for first, second in wrong)
    neither = sum(len(first & second) for first, second in wrong)
    return {
        axis: getattr(one[0], axis),
        "first": getattr(one[0], line),
        "second": getattr(other[0], line),
        "queries": queries,
        "both": queries - only_first - only_second - neither,
        "only_first": only_first,
        "only_second": only_second,
        "neither": neither,
        # The seeds were asked the same queries, which count but once.
        "p_value": sign_test(round(only_first / len(wrong)), round(only_second / len(wrong))),
    }


def _wrong(trained: Trained) -> set[str]:
    table = queries.read_json(trained.run, "tables/wrong-answers.json")
    column = table["columns"].index("query")
    return {row[column] for row in table["data"]}


def _figure(comparison: Comparison, rows: Sequence[Row]) -> Figure:
    (x, _), (line, values) = comparison.along, comparison.lines
    lines = {str(value): [row for row in rows if row[line] == value] for value in values}
    lines = {name: found for name, found in lines.items() if found}
    return interval_lines(x.replace("_", " "), x, lines)
