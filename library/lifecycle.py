"""A model's life from config to registry: trained in full, scored once on the test split, registered, promoted."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from library import registry, tracking
from library.compute import start_keras
from library.configs import C
from library.experiment import Experiment


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        experiment: name of the experiment.
        run: id of the MLflow run.
        model: name in the registry, with `version`, `stage` and the `reason` for the stage.
        metrics: of the best epoch and of the test split.
        seconds: that training and scoring took.
        example: an input that the registered model answers.
    """

    experiment: str
    run: str
    model: str
    version: str
    stage: str
    reason: str
    metrics: Mapping[str, float]
    seconds: float
    example: Any


def train_in_full(
    name: str,
    experiment: Experiment[C],
    config: C,
    store: tracking.Store,
    *,
    run_name: str,
    parent: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> Outcome:
    """Trains a config, scores the model on the test split, registers and promotes it, all in one run."""
    start_keras(experiment.cores)
    repeat = tracking.command("train", name, config.model_dump())
    with tracking.start_run(
        store, name, run_name, parent=parent, config=config, tags={"command": repeat, **(tags or {})}
    ) as run:
        began = time.perf_counter()
        result = experiment.train(config, run, ())
        scores = experiment.test(config, result.model, run)
        run.log_metrics(scores.metrics, step=result.epoch)
        seconds = time.perf_counter() - began
        model = experiment.model_name(config)
        with tempfile.TemporaryDirectory() as folder:
            package = experiment.package(config, result.model, Path(folder))
            origin = {"run": run.id, "command": repeat, "data.digest": experiment.digest(config), **tracking.git()}
            version = registry.register(model, package, scores, {**origin, **(tags or {})})
        promotion = registry.promote(model, version)
        run.set_tags({"model": model, "version": version, "stage": promotion.stage})
        metrics = {**result.metrics, **scores.metrics}
        return Outcome(
            name, run.id, model, version, promotion.stage, promotion.reason, metrics, seconds, package.example
        )
