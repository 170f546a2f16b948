"""A model's life from config to registry: trained in full, scored once on the test split, registered, promoted."""

import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import discovery, environment, registry
from .config import C, Config
from .environment import kept_environment, start_keras
from .experiment import Experiment, Package, Result, Scores
from .run import Callbacks
from .tracking import mlflow_run
from .tracking.store import Store
from .training import progress


@dataclass(frozen=True)
class Outcome:
    """What came of it.

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


def provide(experiment: Experiment[C], config: C, store: Store) -> None:
    """Trains what the experiment needs of others, where no registered model of theirs was trained just so.

    What that sets of the environment is undone, so that it does not bind processes that are started later.
    """
    for name, needed in (experiment.needs(config) or {}).items():
        other = discovery.find(name)
        if registry.trained_from(other.model_name(needed), needed, other.digest(needed)) is None:
            print(f"Training {name} first: it is needed, and there is none for these data yet", flush=True)
            with kept_environment():
                train_in_full(name, other, needed, store)


def train_and_test(
    experiment: Experiment[C], config: C, run: mlflow_run.MlflowRun, callbacks: Callbacks = ()
) -> tuple[Result, Scores, dict[str, float]]:
    """Trains a config and scores it on the test split; returns also all metrics, with its size and its time."""
    run.set_tags(_used(experiment, config))
    began = time.perf_counter()
    with progress.epochs(config, list(experiment.settled(config).objectives)) as shown:
        result = experiment.train(config, run, [shown, *callbacks])
    trained = time.perf_counter()
    scores = experiment.test(config, result.model, run)
    sizes = (math.prod(variable.shape) for variable in result.model.trainable_variables)
    own = {"model/parameters": float(sum(sizes)), "time/training_seconds": trained - began}
    run.log_metrics({**scores.metrics, **own}, step=result.epoch)
    return result, scores, {**result.metrics, **scores.metrics, **own}


def train_in_full(
    name: str,
    experiment: Experiment[C],
    config: C,
    store: Store,
    *,
    run_name: str = "",
    parent: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> Outcome:
    """Trains a config, scores the model on the test split, registers and promotes it, all in one run.

    The run is called by what sets its config apart, unless told.
    """
    start_keras(experiment.cores(config))
    provide(experiment, config, store)
    repeat = environment.command("train", name, config.model_dump())
    with mlflow_run.start_run(
        store, name, run_name or _title(config), parent=parent, config=config, tags={"command": repeat, **(tags or {})}
    ) as run:
        result, scores, metrics = train_and_test(experiment, config, run)
        model = experiment.model_name(config)
        with tempfile.TemporaryDirectory() as folder:
            package = experiment.package(config, result.model, Path(folder))
            origin = {"run": run.id, "command": repeat, "data.digest": experiment.digest(config), **environment.git()}
            version = registry.register(model, package, scores, {**origin, **(tags or {})})
        promotion = registry.promote(model, version)
        run.set_tags({"model": model, "version": version, "stage": promotion.stage})
        stage = {} if promotion.stage == "Production" else {"stage": promotion.stage}
        return Outcome(
            experiment=name,
            run=run.id,
            model=model,
            version=version,
            stage=promotion.stage,
            reason=promotion.reason,
            metrics=metrics,
            predict=_asking(name, _naming(experiment, config), package, stage),
            example=str(package.example) if isinstance(package.example, list) else "images",
        )


def _used(experiment: Experiment[C], config: C) -> dict[str, str]:
    """Tags that name the registered versions of other experiments' models that a training works with."""
    others = ((discovery.find(name), needed) for name, needed in (experiment.needs(config) or {}).items())
    found = (registry.trained_from(one.model_name(needed), needed, one.digest(needed)) for one, needed in others)
    return {f"needed.{version.name}": f"version {version.version}" for version in found if version}


def _title(config: Config) -> str:
    """The fields that are not at their defaults, as in `train_fraction 0.1, units 64`."""
    defaults = {field: declared.default for field, declared in type(config).model_fields.items()}
    own = (f"{field} {value}" for field, value in config if value != defaults[field])
    return ", ".join(own) or "defaults"


def _asking(name: str, naming: Mapping[str, Any], package: Package, stage: Mapping[str, str]) -> str:
    if package.verb == "predict":
        return environment.command("predict", name, {**naming, **package.asked, **stage})
    return environment.command(package.verb, "", {**package.asked, **stage})


def _naming(experiment: Experiment[C], config: C) -> dict[str, Any]:
    """The fields without which a config would train a model of another name."""
    name = experiment.model_name(config)
    defaults = {field: declared.default for field, declared in type(config).model_fields.items()}
    return {
        field: getattr(config, field)
        for field, default in defaults.items()
        if experiment.model_name(config.model_copy(update={field: default})) != name
    }
