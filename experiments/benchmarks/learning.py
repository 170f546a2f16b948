"""Scores and the time to reach them, with the defaults and by a study."""

import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping

from experiments.benchmarks import Row
from experiments.seq2seq import Seq2Seq
from library.framework.run import Run


def exact_match() -> Iterator[Row]:
    """Exact match on unseen queries with the defaults: three seeds, each with a split of its own."""
    for fraction, target in ((0.5, ">= 0.999"), (0.25, ">= 0.997"), (0.1, ">= 0.97")):
        scores = []
        for seed in range(3):
            experiment = Seq2Seq(train_fraction=fraction, seed=seed, split_seed=seed)
            model = experiment.fit(Run()).model
            scores.append(experiment.test(model, Run()).metrics["test/exact_match"])
        measured = f"{statistics.mean(scores):.4f} ({', '.join(f'{score:.4f}' for score in scores)})"
        yield f"exact match, {fraction:.0%} of the queries to learn from", measured, target


def time_to_99() -> Iterator[Row]:
    """Seconds until 0.99 exact match on validation queries, with the defaults."""
    from library import EpochCallback

    reached: list[float] = []
    start = time.perf_counter()

    def note(_: int, metrics: Mapping[str, float]) -> None:
        if metrics["val/exact_match"] >= 0.99:
            reached.append(time.perf_counter() - start)

    Seq2Seq().fit(Run(), [EpochCallback(note)])
    measured = f"{reached[0]:.0f} s of {time.perf_counter() - start:.0f} s" if reached else "never"
    yield "time to 0.99 on validation, defaults", measured, "<= 15 s of 40 s"


def study() -> Iterator[Row]:
    """A study with the defaults in a new store."""
    from library import open_store

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with open_store(folder) as store:
            outcome = Seq2Seq().tune(store).outcome
        minutes = (time.perf_counter() - start) / 60
        yield "make tune-seq2seq with its defaults", f"{minutes:.1f} minutes", "<= 5 minutes"
        score = f"{outcome.metrics['test/exact_match']:.4f}, {outcome.stage}"
        yield "exact match of its winner, stage", score, ">= 0.999, Production"


def search() -> Iterator[Row]:
    """A study of 20 trials by what it does, replayed on tables of trained configs: 200 seeds for each policy."""
    from experiments.benchmarks.search import compare_policies  # here: optuna takes seconds

    yield from compare_policies()
