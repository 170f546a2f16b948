"""A model's life from config to registry: trained in full, scored once on the test split, registered, promoted."""

import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import environment
from .discovery import description
from .experiment import Experiment, ModelArtifacts, TestResult, TrainingResult
from .formatting import number
from .registry import artifacts, stages
from .run import Callbacks
from .tracking.mlflow_run import MlflowRun
from .tracking.store import Store
from .tracking.training_run import start_training
from .training import checkpoints, progress


@dataclass(frozen=True)
class Outcome:
    """A model that was trained in full.

    Attributes:
        experiment: name of the experiment.
        run: id of the MLflow run.
        model: name in the registry, with `version`, `stage` and the `reason` for the stage.
        metrics: of the best epoch and of the test split, the number of parameters and the training's seconds.
        predict: the command that asks the registered model.
        example: an input of it, as Python would write it.
    """

    experiment: str
    run: str
    model: str
    version: str
    stage: str
    reason: str
    metrics: Mapping[str, float]
    predict: str
    example: str


def train_dependencies(experiment: Experiment, store: Store) -> None:
    """Trains what the experiment works with, where no registered model was trained from the same config and data.

    What that sets in the environment is undone, so that it does not bind processes that are started later.
    """
    for other in experiment.dependencies:
        if artifacts.find_trained_from(other) is None:
            print(
                f"Training {other.name} first: {experiment.name} needs it, and there is none for these data", flush=True
            )
            with environment.preserved_environment():
                train_in_full(other, store)


def train_and_test(
    experiment: Experiment, run: MlflowRun, callbacks: Callbacks = (), report: progress.Report | None = None
) -> tuple[TrainingResult, TestResult, dict[str, float]]:
    """Trains a config and scores it on the test split; returns also all metrics, with its size and its duration.

    Its epochs are reported, or shown if there is nobody to report to.
    """
    from .training.callbacks import EpochCallback, check_objectives

    objectives = experiment.resolved_objectives
    models = filter(None, map(artifacts.find_trained_from, experiment.dependencies))
    run.set_tags({f"needed.{model.name}": f"version {model.version}" for model in models})
    start = time.perf_counter()
    checked = EpochCallback(lambda _, metrics: check_objectives(objectives, metrics))
    with progress.epochs(experiment, report) as shown:
        result = experiment.fit(run, [checked, shown, *callbacks])
    own = size_and_duration(result, start)
    scored = experiment.test(result.model, run)
    # Without a step, so that MLflow draws them as bars and not as curves.
    run.log_metrics({**scored.metrics, **own})
    run.set_tags({"best_epoch": result.epoch})
    scores = [*objectives, *([scored.score] if scored.score else [])]
    run.share_scores([*(f"metrics.`{name}`" for name in scores), "tags.`stage`", "tags.`version`"])
    run.log_json(artifacts.PER_EXAMPLE_SCORES, dict(scored.per_example_scores))
    return result, scored, {**result.metrics, **experiment.config_metrics, **scored.metrics, **own}


def size_and_duration(result: TrainingResult, start: float) -> dict[str, float]:
    """The trainable parameters of a model, and the seconds of its training since `start`, of `time.perf_counter`."""
    kept = checkpoints.current()
    seconds = time.perf_counter() - start + (kept.seconds if kept else 0)
    sizes = (math.prod(variable.shape) for variable in result.model.trainable_variables)
    return {"model/parameters": float(sum(sizes)), "time/training_seconds": seconds}


def train_in_full(
    experiment: Experiment,
    store: Store,
    *,
    callbacks: Callbacks = (),
    run_name: str = "",
    parent: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> Outcome:
    """Trains a config, scores the model on the test split, registers and promotes it, all in one run.

    Where the training of the same config was killed, it goes on in that run. The run is named by what its config
    changes, unless a name is given.
    """
    environment.start_keras(experiment.num_threads)
    config, name = experiment.config, experiment.name
    digest = experiment.dataset_digest  # data that cannot be had are found before a run begins
    train_dependencies(experiment, store)
    command = environment.command("train", name, config.changed())
    tags = {"command": command, **(tags or {})}
    about = description(name)
    changes = ", ".join(f"{field} {number(value)}" for field, value in config.changed().items())
    run_name = run_name or changes or "defaults"
    role = f"model {parent or ''}"
    with start_training(store, experiment, run_name, role=role, parent=parent, tags=tags, about=about) as run:
        result, scored, metrics = train_and_test(experiment, run, callbacks)
        model = experiment.model_name
        with tempfile.TemporaryDirectory() as folder:
            package = experiment.package(result.model, Path(folder))
            origin = {"run": run.id, "data.digest": digest, **environment.git_tags()}
            version = artifacts.register(model, package, scored, {**origin, **tags}, about=about)
        estimate = artifacts.score_estimate(scored)
        interval = estimate.metrics if estimate and f"{estimate.name}_low" not in metrics else {}
        run.set_tags({"model": model, "version": version})
        promotion = stages.promote_if_better(model, version)  # which tags the run with the stage
        return Outcome(
            experiment=name,
            run=run.id,
            model=model,
            version=version,
            stage=promotion.stage,
            reason=promotion.reason,
            metrics={**interval, **metrics},
            predict=_predict_command(experiment, package, promotion.stage),
            example=artifacts.as_python(package.example),
        )


def _predict_command(experiment: Experiment, package: ModelArtifacts, stage: str) -> str:
    options = {**package.cli_example, **({} if stage == "Production" else {"stage": stage})}
    if package.command != "predict":
        return environment.command(package.command, values=options)
    naming = {name: value for name, value in experiment.config.changed().items() if name in experiment.naming_fields}
    return environment.command("predict", experiment.name, {**naming, **options})
