"""What is learnt, and how soon: at the defaults, by a study, and by the stock network."""

import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from experiments import seq2seq as experiment
from experiments.benchmarks import Row
from experiments.seq2seq import Config
from library.framework.run import Run


def exact_match() -> Iterator[Row]:
    """Exact match on unseen queries at the defaults: three seeds, each with a split of its own."""
    for fraction, target in ((0.5, ">= 0.999"), (0.25, ">= 0.997"), (0.1, ">= 0.97")):
        scores = []
        for seed in range(3):
            config = Config(train_fraction=fraction, seed=seed, split_seed=seed)
            model = experiment.train(config, Run(), ()).model
            scores.append(experiment.test(config, model, Run()).metrics["test/exact_match"])
        told = ", ".join(f"{score:.4f}" for score in scores)
        name = f"exact match, {fraction:.0%} of the queries to learn from"
        yield name, f"{statistics.mean(scores):.4f} ({told})", target


def time_to_99() -> Iterator[Row]:
    """Seconds until 0.99 exact match on validation queries, with the defaults."""
    reached: list[float] = []
    began = time.perf_counter()

    def note(_: int, metrics: Mapping[str, float]) -> None:
        if metrics["val/exact_match"] >= 0.99 and not reached:
            reached.append(time.perf_counter() - began)

    experiment.train(Config(), Run(), [note])
    told = f"{reached[0]:.0f} s of {time.perf_counter() - began:.0f} s" if reached else "never"
    yield "time to 0.99 on validation, defaults", told, "<= 60 s"


def stock_network() -> Iterator[Row]:
    """The stock network, settings and loop on all cores: exact match on test queries, one seed."""
    from experiments.benchmarks import stock

    for fraction in (0.5, 0.25, 0.1):
        trained = stock.train(stock.CONFIG.model_copy(update={"train_fraction": fraction}))
        reached = "never 0.99 on validation" if trained.reached is None else f"0.99 after {trained.reached:.0f} s"
        told = f"{trained.test:.4f} in {trained.seconds:.0f} s, {reached}"
        yield f"stock, {fraction:.0%} of the queries to learn from, 30 epochs", told, "-"


def study() -> Iterator[Row]:
    """The main job on a new store."""
    from library.framework import discovery, tuning
    from library.framework.options import StudyOptions
    from library.framework.tracking import session

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with session.open_store(Path(folder)) as store:
            space = discovery.find_space("seq2seq")
            search = tuning.Search("seq2seq", discovery.find("seq2seq"), space, {}, StudyOptions(), store)
            outcome = tuning.tune(search).outcome
        minutes = (time.perf_counter() - began) / 60
        yield "make tune-seq2seq with its defaults", f"{minutes:.1f} minutes", "<= 15 minutes"
        score = f"{outcome.metrics['test/exact_match']:.4f}, {outcome.stage}"
        yield "exact match of its winner, stage", score, ">= 0.999, Production"
