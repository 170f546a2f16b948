"""The trainings of a comparison: each is made once, and found again by its fields and data."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import discovery, environment
from ..config import Config
from ..environment import start_keras
from ..experiment import Experiment
from ..options import ComparisonOptions
from ..pipeline import provide, train_and_test
from ..tracking import mlflow_run, queries
from ..tracking.store import Store
from .spec import Baseline, Comparison


@dataclass(frozen=True)
class Trained:
    """What came of a config: the run that tells it, and all metrics of its model."""

    run: str
    metrics: Mapping[str, float]


@contextmanager
def started(
    name: str,
    comparison: Comparison | Baseline,
    configs: Sequence[Config],
    fixed: Mapping[str, Any],
    options: ComparisonOptions,
    store: Store,
) -> Iterator[mlflow_run.MlflowRun]:
    """The run of a whole comparison, with Keras ready for the trainings of these configs."""
    cores = {discovery.find(comparison.experiment).cores(config) for config in configs}
    start_keras(None if None in cores else max(filter(None, cores)))  # once for all: it can be said but once
    command = environment.command("compare", name, {"seeds": options.seeds, **fixed})
    tags = {"command": command, "comparison": name}
    with mlflow_run.start_run(store, comparison.experiment, name, tags=tags) as run:
        yield run


def train_once(
    name: str,
    experiment: Experiment[Any],
    config: Config,
    label: str,
    store: Store,
    parent: mlflow_run.MlflowRun,
) -> Trained:
    """What a config scored: told by an earlier run of the experiment, or by one that is made now.

    Args:
        name: of the experiment.
        experiment: the same.
        config: what to train.
        label: what the run is called if one is made.
        store: an open store.
        parent: the run that a new one belongs to.
    """
    params = {key: str(value) for key, value in config.model_dump().items()}
    for done in queries.finished_runs(name, {"data.digest": experiment.digest(config)}):
        if params.items() <= done.data.params.items() and "time/training_seconds" in done.data.metrics:
            print(f"{label}: from run {done.info.run_id}, of commit {done.data.tags.get('git.commit')}", flush=True)
            return Trained(done.info.run_id, dict(done.data.metrics))
    import keras  # here: how many threads it has is to be said before

    provide(experiment, config, store)
    keras.utils.clear_session()
    print(f"{label}: training", flush=True)
    tags = {"command": environment.command("train", name, config.model_dump())}
    with mlflow_run.start_run(store, name, label, parent=parent.id, config=config, tags=tags) as run:
        return Trained(run.id, train_and_test(experiment, config, run)[2])
