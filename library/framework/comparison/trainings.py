"""The trainings of a comparison: each is made once, and found again by its fields and data.

So an interrupted comparison is resumed where it was, and one that was run in parts is put together.
"""

import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..discovery import description
from ..engines import Exit, open_engine
from ..environment import command, start_keras
from ..errors import UserError
from ..experiment import Experiment
from ..options import EngineOptions
from ..pipeline import train_and_test, train_dependencies
from ..tracking.mlflow_run import MlflowRun, start_run
from ..tracking.queries import RunRecord, best_metrics, finished_runs, read_run
from ..tracking.store import Store, end_abandoned_runs
from ..tracking.training_run import start_training
from ..training import progress

Row = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """A trained config: the run that records it, and all metrics of its model."""

    run: str
    metrics: Mapping[str, float]

    def score(self, name: str) -> float:
        """A metric; UserError where the run has no record of it."""
        if name not in self.metrics:
            raise UserError(f"run {self.run}: did not record {name!r}; it recorded {', '.join(sorted(self.metrics))}")
        return self.metrics[name]


@contextmanager
def parent_run(
    name: str,
    experiments: Sequence[Experiment],
    fixed: Mapping[str, Any],
    seeds: int,
    store: Store,
    options: EngineOptions,
) -> Iterator[MlflowRun]:
    """The run of a whole comparison, with Keras ready for the trainings of these experiments in this process."""
    if options == EngineOptions():
        threads = {experiment.num_threads for experiment in experiments}
        start_keras(None if None in threads else max(filter(None, threads)))  # for all, as it can be set only once
    about = experiments[0].name
    given = {"seeds": seeds, **options.model_dump(exclude_defaults=True), **fixed}
    tags = {"command": command("compare", name, given), "comparison": name}
    with start_run(store, about, f"comparison {name}", tags=tags, about=description(about)) as run:
        yield run


def train_all(
    labelled: Iterable[tuple[str, Experiment]], store: Store, parent: MlflowRun, options: EngineOptions
) -> Generator[Trained]:
    """The scores of configs in their order, of earlier runs or of runs that are made now, with these labels and parent.

    Raises:
        UserError: a training failed on a worker, or an engine cannot be had.
    """
    if options != EngineOptions():
        yield from _train_on_engine(labelled, store, parent, options)
        return
    for label, experiment in labelled:
        if (done := _find(label, experiment)) is None:
            train_dependencies(experiment, store)
            print(f"{label}: training", flush=True)
            done = _trained(read_run(_train(experiment, label, store, parent.id)), experiment)
        yield done


def _find(label: str, experiment: Experiment) -> Trained | None:
    """The scores of a config from an earlier run, if there is one."""
    params = {key: str(value) for key, value in experiment.config.model_dump().items()}
    for done in finished_runs(experiment.name, {"data.digest": experiment.dataset_digest}):
        if params.items() <= done.params.items() and "time/training_seconds" in done.metrics:
            print(f"{label}: from run {done.id}, of commit {done.tags.get('git.commit')}", flush=True)
            return _trained(done, experiment)
    return None


def _trained(run: RunRecord, experiment: Experiment) -> Trained:
    """The scores that a run recorded, of which it makes no difference who made it and when."""
    return Trained(run.id, {**best_metrics(run), **experiment.config_metrics})


def _train(experiment: Experiment, label: str, store: Store, parent: str, report: progress.Report | None = None) -> str:
    """Trains and tests a config, and returns its run; epochs are reported, or shown where nobody is to report to."""
    import keras  # here: its number of threads is set before

    keras.utils.clear_session()
    tags = {"command": command("train", experiment.name, experiment.config.changed())}
    # In its run, whichever comparison that was begun for: it belongs to this one from now on.
    with start_training(store, experiment, label, role="comparison", parent=parent, tags=tags) as run:
        train_and_test(experiment, run, report=report)
        return run.id


def _train_on_engine(
    labelled: Iterable[tuple[str, Experiment]], store: Store, parent: MlflowRun, options: EngineOptions
) -> Generator[Trained]:
    """As `train_all`, with a worker of an engine for each training; one whose node is lost begins again."""
    coming, running = enumerate(labelled), dict[str, tuple[int, str, Experiment]]()
    results, yielded = dict[int, Trained](), 0

    def start(index: int, label: str, experiment: Experiment) -> None:
        running[name := uuid.uuid4().hex] = index, label, experiment
        engine.start(name, partial(_work, experiment, label, store, parent.id, engine.num_threads))

    with open_engine(options, store) as engine, progress.trainings() as show:
        try:
            while True:
                while len(running) < options.workers and (following := next(coming, None)) is not None:
                    index, (label, experiment) = following
                    if done := _find(label, experiment):
                        results[index] = done
                        continue
                    train_dependencies(experiment, store)
                    print(f"{label}: training", flush=True)
                    start(index, label, type(experiment)(experiment.config))  # without the data that it has loaded
                while yielded in results:
                    yield results.pop(yielded)
                    yielded += 1
                if not running:
                    return
                store.release_connections()
                for name, end in engine.wait().items():
                    index, label, experiment = running.pop(name)
                    if done := _trained_by(end, label, experiment):
                        results[index] = done
                    else:
                        start(index, label, experiment)
                show({running[name][1]: row[1:] for name, row in engine.rows.items() if name in running})
        finally:
            engine.close()
            end_abandoned_runs(store)


def _trained_by(end: Exit, label: str, experiment: Experiment) -> Trained | None:
    """What a worker has trained; None where its node was lost, so that another is to begin again."""
    if end.is_lost:
        print(f"{label}: {end.reason}; training again", flush=True)
        return None
    if end.code:
        raise UserError(f"{label}: {end.message or end.reason}; the same command goes on")
    return _trained(read_run(end.message), experiment)


def _work(experiment: Experiment, label: str, store: Store, parent: str, num_threads: int, row: Any) -> tuple[int, str]:
    """A worker: one training; returns its run."""

    def report(epoch: int, _metrics: Mapping[str, float]) -> None:
        row[:] = [0, epoch, getattr(experiment.config, "epochs", 0)]

    try:
        with store:
            store.connect()
            start_keras(min(num_threads, experiment.num_threads or num_threads))
            return 0, _train(experiment, label, store, parent, report)
    except UserError as error:
        return 1, str(error)
