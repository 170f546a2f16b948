"""The trainings of a comparison: each is made once, and found again by its fields and data.

So an interrupted comparison is resumed where it was, and one that was run in parts is put together.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..discovery import description
from ..environment import command, start_keras
from ..experiment import Experiment
from ..pipeline import train_and_test, train_dependencies
from ..tracking.mlflow_run import MlflowRun, start_run
from ..tracking.queries import finished_runs
from ..tracking.store import Store
from ..tracking.training_run import start_training

Row = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """A trained config: the run that records it, and all metrics of its model."""

    run: str
    metrics: Mapping[str, float]


@contextmanager
def parent_run(
    name: str, experiments: Sequence[Experiment], fixed: Mapping[str, Any], seeds: int, store: Store
) -> Iterator[MlflowRun]:
    """The run of a whole comparison, with Keras ready for the trainings of these experiments."""
    threads = {experiment.num_threads for experiment in experiments}
    start_keras(None if None in threads else max(filter(None, threads)))  # for all, as it can be set only once
    about = experiments[0].name
    tags = {"command": command("compare", name, {"seeds": seeds, **fixed}), "comparison": name}
    with start_run(store, about, f"comparison {name}", tags=tags, about=description(about)) as run:
        yield run


def train_once(experiment: Experiment, label: str, store: Store, parent: MlflowRun) -> Trained:
    """The scores of a config, from an earlier run or from one that is made now, with this label and parent."""
    params = {key: str(value) for key, value in experiment.config.model_dump().items()}
    for done in finished_runs(experiment.name, {"data.digest": experiment.dataset_digest}):
        if params.items() <= done.params.items() and "time/training_seconds" in done.metrics:
            print(f"{label}: from run {done.id}, of commit {done.tags.get('git.commit')}", flush=True)
            return Trained(done.id, done.metrics)
    import keras  # here: its number of threads is set before

    train_dependencies(experiment, store)
    keras.utils.clear_session()
    print(f"{label}: training", flush=True)
    tags = {"command": command("train", experiment.name, experiment.config.changed())}
    # In its run, whichever comparison that was begun for: it belongs to this one from now on.
    with start_training(store, experiment, label, role="comparison", parent=parent.id, tags=tags) as run:
        return Trained(run.id, train_and_test(experiment, run)[2])
