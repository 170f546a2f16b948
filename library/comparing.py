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

    The experiment's `test` must report `test/exact_match`, `test/per_character` and `test/queries`.

    A row holds both compared fields, `exact_match` over all seeds' test examples with the 95 % interval `low` to
    `high` that it has on the test examples of one, each seed's own in `seeds`, and means of `per_character`,
    `parameters` and `seconds`.
    """
    experiment = discovery.find(comparison.experiment)
    configs = [list(comparison.configs(experiment, fixed, seed)) for seed in range(options.seeds)]
    command = provenance.command("compare", name, {"seeds": options.seeds, **fixed})
    tags = {"command": command, "comparison": name}
    cores = {experiment.cores(config) for of_seed in configs for config in of_seed}
    start_keras(None if None in cores else max(filter(None, cores)))  # once for all: it can be said but once
    rows = []
    with tracking.start_run(store, comparison.experiment, name, tags=tags) as parent:
        for same in zip(*configs, strict=True):
            trained = [_metrics(comparison, experiment, config, store, parent) for config in same]
            rows.append(_row(comparison, same[0], trained))
            parent.log_table("comparison", {column: [row[column] for row in rows] for column in rows[0]})
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
    label = ", ".join(f"{one} {getattr(config, one)}" for one in (comparison.lines[0], comparison.along[0], "seed"))
    params = {key: str(value) for key, value in config.model_dump().items()}
    for done in tracking.finished_runs(comparison.experiment, {"data.digest": digest}):
        if params.items() <= done.data.params.items() and "time/training_seconds" in done.data.metrics:
            print(f"{label}: from run {done.info.run_id}, of commit {done.data.tags.get('git.commit')}", flush=True)
            return dict(done.data.metrics)
    import keras  # here: how many threads it has is to be said before

    provide(experiment, config, store)
    keras.utils.clear_session()
    print(f"{label}: training", flush=True)
    tags = {"command": provenance.command("train", comparison.experiment, config.model_dump())}
    with tracking.start_run(store, comparison.experiment, label, parent=parent.id, config=config, tags=tags) as run:
        return train_and_test(experiment, config, run)[2]


def _row(comparison: Comparison, config: Config, trained: Sequence[Mapping[str, float]]) -> Row:
    examples = sum(metrics["test/queries"] for metrics in trained)
    right = sum(metrics["test/queries"] * metrics["test/exact_match"] for metrics in trained)
    # Of as many examples as one seed has: the others were asked the same ones.
    one = examples / len(trained)
    low, high = wilson_interval(round(right / len(trained)), round(one))
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
    lines = {name: found for name, found in lines.items() if found}
    return interval_lines(x.replace("_", " "), x, lines)
