"""One experiment trained side by side under several configs: a parent run, tables and a figure."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ..experiment import Experiment
from ..options import EngineOptions
from ..plots import interval_lines
from ..registry.artifacts import per_example_scores
from ..run import columns_of
from ..statistics import Estimate, compare_examples, estimate_of_scores, sign_test, wilson_interval
from ..tracking.store import Store
from .spec import Comparison
from .trainings import Row, Trained, parent_run, train_all

Cell = tuple[Experiment, Sequence[Trained]]
"""An experiment under one config, and its trainings from each seed."""


@dataclass(frozen=True)
class ComparisonResult:
    """A comparison's tables.

    Attributes:
        rows: of each config the compared fields, the metric (under its name without `test/`) as the mean over the
            seeds, the 95 % interval `low` to `high` that it has on the test examples of one seed, each seed's own
            value in `seeds`, and means of further metrics, of `parameters` and of `seconds`.
        pairs: of each two lines at a value of the axis, if they are paired, the number of `examples` of all seeds, on
            how many the `first` and the `second` scored higher, and on how many both scored equally; where scores are
            right or wrong, on how many both or neither were right. `p_value` is that of the exact sign test
            (McNemar's) on the examples of one seed.
    """

    rows: list[Row]
    pairs: list[Row]

    def markdown(self) -> str:
        """The tables as Markdown, to be copied."""
        pairs = ["On the same examples", _table(self.pairs)] if self.pairs else []
        return "\n\n".join([_table(self.rows), *pairs])


def compare(
    comparison: Comparison, store: Store, name: str, seeds: int, options: EngineOptions, fixed: Mapping[str, Any]
) -> ComparisonResult:
    """Trains and tests every config from every seed; what was trained before is not trained again."""
    by_seed = [list(comparison.experiments(fixed, seed)) for seed in range(seeds)]
    cells, rows = list[Cell](), list[Row]()
    with parent_run(name, list(itertools.chain(*by_seed)), fixed, seeds, store, options) as run:
        by_cell = list(zip(*by_seed, strict=True))
        labelled = _labelled(comparison, itertools.chain(*by_cell))
        with closing(train_all(labelled, store, run, options)) as results:
            for same in by_cell:
                cells.append((same[0], list(itertools.islice(results, seeds))))
                rows.append(_row(comparison, *cells[-1]))
                run.log_table("comparison", columns_of(rows))
        run.log_figure("comparison", _figure(comparison, rows))
        pairs = list[Row]()
        if comparison.paired and comparison.lines:
            axis, lines = comparison.along[0], itertools.combinations(cells, 2)
            same_place = [pair for pair in lines if len({getattr(one.config, axis) for one, _ in pair}) == 1]
            pairs = [_pair(comparison, *pair) for pair in same_place]
        if pairs:
            run.log_table("pairs", columns_of(pairs))
    return ComparisonResult(rows, pairs)


def _labelled(comparison: Comparison, experiments: Iterable[Experiment]) -> Iterator[tuple[str, Experiment]]:
    """Experiments, each with the data of the one before where they are the same, and what is compared in words."""
    before = None
    for experiment in experiments:
        before = experiment.reuse(before) if before else experiment
        named = (*comparison.compared_fields, "seed")
        yield ", ".join(f"{one} {getattr(experiment.config, one)}" for one in named), before


def _row(comparison: Comparison, experiment: Experiment, trained: Sequence[Trained]) -> Row:
    estimate = _estimate(comparison.metric, trained)
    columns = {metric.removeprefix("test/"): metric for metric in comparison.more_metrics}
    columns |= {"parameters": "model/parameters", "seconds": "time/training_seconds"}
    means = {column: fmean(one.score(metric) for one in trained) for column, metric in columns.items()}
    compared = {one: getattr(experiment.config, one) for one in comparison.compared_fields}
    values = {comparison.metric.removeprefix("test/"): estimate.value, "low": estimate.low, "high": estimate.high}
    return {**compared, **values, "seeds": [one.score(comparison.metric) for one in trained], **means}


def _estimate(metric: str, trained: Sequence[Trained]) -> Estimate:
    """The mean over the seeds, with the 95 % interval that it has on the examples of one seed.

    The seeds are tested on the same examples, which count only once. Where the metric is not the mean of the scores of
    the examples, its interval is the mean of those that the trainings recorded, if they did.
    """
    value = fmean(one.score(metric) for one in trained)
    scores = [per_example_scores(one.run) for one in trained]
    if all(scores) and all(
        math.isclose(abs(fmean(of_seed.values())), abs(one.score(metric)), rel_tol=1e-5, abs_tol=1e-9)
        for of_seed, one in zip(scores, trained, strict=True)
    ):
        if _is_binary(scores):
            right, examples = (round(fmean(map(count, scores))) for count in (lambda s: sum(s.values()), len))
            low, high = wilson_interval(right, examples)
            return Estimate(value, low=low, high=high, name=metric)
        merged = {name: fmean(one[name] for one in scores) for name in set.intersection(*map(set, scores))}
        return estimate_of_scores(merged, metric, value) if merged else Estimate(value, name=metric)
    own = [Estimate.of(one.metrics, metric) for one in trained]
    lows, highs = [one.low for one in own if one.low is not None], [one.high for one in own if one.high is not None]
    return Estimate(value, low=fmean(lows) if lows else None, high=fmean(highs) if highs else None, name=metric)


def _is_binary(scores: Sequence[Mapping[str, float]]) -> bool:
    return all(set(one.values()) <= {0, 1} for one in scores)


def _pair(comparison: Comparison, one: Cell, other: Cell) -> Row:
    line, axis = comparison.compared_fields
    # By the names of the examples without the ending ` in DATA`: lines may differ in their data.
    scores = [
        [{name.partition(" in ")[0]: s for name, s in per_example_scores(trained.run).items()} for trained in cell]
        for _, cell in (one, other)
    ]
    each = [compare_examples(first, second) for first, second in zip(*scores, strict=True)]
    wins, losses, examples = (sum(getattr(c, what) for c in each) for what in ("wins", "losses", "examples"))
    equal = {"equal": examples - wins - losses}
    if _is_binary([*scores[0], *scores[1]]):
        both = sum(s[0][n] == s[1][n] == 1 for s in zip(*scores, strict=True) for n in s[0].keys() & s[1].keys())
        equal = {"both_right": both, "neither_right": examples - wins - losses - both}
    return {
        axis: getattr(one[0].config, axis),
        "first": getattr(one[0].config, line),
        "second": getattr(other[0].config, line),
        "examples": examples,
        "only_first" if "equal" not in equal else "first_higher": wins,
        "only_second" if "equal" not in equal else "second_higher": losses,
        **equal,
        # The seeds are tested on the same examples, which count only once.
        "p_value": sign_test(round(wins / len(each)), round(losses / len(each))),
    }


def _figure(comparison: Comparison, rows: Sequence[Row]) -> Any:
    axis, metric = comparison.along[0], comparison.metric.removeprefix("test/")
    lines = defaultdict(list)
    for row in rows:
        lines[str(row[comparison.lines[0]]) if comparison.lines else metric.replace("_", " ")].append(row)
    return interval_lines(lines, axis, metric)


def _table(rows: Sequence[Row]) -> str:
    titles = [name.replace("_", " ") for name in rows[0]]
    cells = [[_formatted(name, value) for name, value in row.items()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (titles, ["---"] * len(titles), *cells))


def _formatted(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_formatted(name, one) for one in value)
    if name in ("parameters", "seconds") or isinstance(value, int):
        return f"{value:,.0f}"
    if name == "p_value":
        return f"{value:.2g}"
    return f"{value:.4f}" if isinstance(value, float) else str(value if value is not None else "-")
