"""One experiment trained side by side under several configs: a parent run, a table and a figure.

What was trained before, from the same fields on the same data, is not trained again: an interrupted comparison goes
on where it was, and one that was run in parts is put together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from library import discovery, provenance, tracking
from library.compute import start_keras
from library.configs import ComparisonOptions, Config
from library.evaluation.comparison import wilson_interval
from library.evaluation.figures import interval_lines
from library.experiment import Comparison, Experiment
from library.lifecycle import provide, train_and_test

Row = dict[str, Any]


def compare(
    name: str, comparison: Comparison, fixed: Mapping[str, Any], options: ComparisonOptions, store: tracking.Store
) -> list[Row]:
    """Trains and tests every config from every seed and returns a row for each config.

    A row holds both compared fields, `exact_match` over all seeds' test examples with its 95 % interval `low` to
    `high`, each seed's own in `seeds`, and means of `per_character`, `parameters` and `seconds`.
    """
    experiment = discovery.find(comparison.experiment)
    configs = [list(comparison.configs(experiment, fixed, seed)) for seed in range(options.seeds)]
    command = provenance.command("compare", name, {"seeds": options.seeds, **fixed})
    tags = {"command": command, "comparison": name}
    rows = []
    with tracking.start_run(store, comparison.experiment, name, tags=tags) as parent:
        for same in zip(*configs, strict=True):
            trained = [_metrics(comparison, experiment, config, store, parent) for config in same]
            rows.append(_row(comparison, same[0], trained))
            parent.log_table("comparison", {column: [value] for column, value in rows[-1].items()})  # which appends
        parent.log_figure("comparison", _figure(comparison, rows))
    return rows


def _metrics(
    comparison: Comparison,
    experiment: Experiment[Any],
    config: Config,
    store: tracking.Store,
    parent: tracking.MlflowRun,
) -> dict[str, float]:
    """What a config scored: told by an earlier run, or by one that is made now."""
    digest = experiment.digest(config)
    params = {key: str(value) for key, value in config.model_dump().items()}
    for done in tracking.finished_runs(comparison.experiment, {"data.digest": digest}):
        if done.data.params == params and "time/training_seconds" in done.data.metrics:
            return dict(done.data.metrics)
    start_keras(experiment.cores(config))
    provide(experiment, config, store)
    label = ", ".join(f"{one} {getattr(config, one)}" for one in (comparison.lines[0], comparison.along[0]))
    print(f"training {label}, seed {config.seed}", flush=True)
    tags = {"command": provenance.command("train", comparison.experiment, config.model_dump())}
    with tracking.start_run(store, comparison.experiment, label, parent=parent.id, config=config, tags=tags) as run:
        return train_and_test(experiment, config, run)[2]


def _row(comparison: Comparison, config: Config, trained: Sequence[Mapping[str, float]]) -> Row:
    examples = sum(metrics["test/queries"] for metrics in trained)
    right = sum(metrics["test/queries"] * metrics["test/exact_match"] for metrics in trained)
    low, high = wilson_interval(round(right), round(examples))
    means = {
        column: sum(metrics[metric] for metrics in trained) / len(trained)
        for column, metric in (
            ("per_character", "test/per_character"),
            ("parameters", "model/parameters"),
            ("seconds", "time/training_seconds"),
        )
    }
    compared = {one: getattr(config, one) for one in (comparison.lines[0], comparison.along[0])}
    seeds = [metrics["test/exact_match"] for metrics in trained]
    return {**compared, "exact_match": right / examples, "low": low, "high": high, "seeds": seeds, **means}


def _figure(comparison: Comparison, rows: Sequence[Row]) -> Figure:
    (x, _), (line, values) = comparison.along, comparison.lines
    lines = {str(value): [row for row in rows if row[line] == value] for value in values}
    return interval_lines(x.replace("_", " "), x, lines)
