"""What notebooks show: registered models, the runs that they are from, and studies; nothing is trained or changed.

A notebook names an experiment and gets the model with its config, data, scores and history, as tables and arrays.
"""

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a package that MLflow imports warns of missing progress bars
    from .registry import artifacts, overview
    from .tracking.queries import artifact_path, metric_history, read_json, read_run
    from .tracking.store import Store, current_store, store_of
    from .tuning.results import StudyResults, stored_studies
from .config import parse
from .discovery import find
from .environment import command, start_keras
from .errors import NotRegistered, StoreError, UserError
from .experiment import Experiment
from .options import StoreOptions
from .statistics import Estimate
from .tracking.address import is_address

# The file of an image that `log_image` keeps: its key, which may hold a slash, and its step.
IMAGE = re.compile(r"(?P<key>.+)\+step\+(?P<step>\d+)\+timestamp\+.*(?<!compressed)\.(?:png|webp)")


@dataclass(frozen=True)
class RegisteredModel:
    """A registered model, and the record of its run.

    Attributes:
        score: what it is known by, with its 95 % interval; None where that was not kept.
        run: id of the run that it is from.
        experiment: with the config that it was trained with, and the data.
        metrics: the last value of each.
        model: what `load_model` gives: ask it by `predict`.
    """

    name: str
    version: str
    stage: str
    score: Estimate | None
    run: str
    experiment: Experiment
    metrics: Mapping[str, float]
    model: Any

    def __str__(self) -> str:
        minutes = self.metrics.get("time/training_seconds", np.nan) / 60
        return f"{self.name} version {self.version} in {self.stage}, trained in {minutes:.1f} minutes: {self.score}"

    @property
    def config(self) -> Any:
        """The config that it was trained with."""
        return self.experiment.config

    @property
    def python_model(self) -> Any:
        """The model as its own file defines it, with its networks."""
        return self.model.unwrap_python_model()

    @property
    def network(self) -> Any:
        """The Keras network of a model of sequences or of a classifier, without its optimizer."""
        inner = self.python_model
        return inner.network if hasattr(inner, "network") else inner._network

    def history(self) -> pd.DataFrame:
        """Its training: a row for each epoch, a column for each metric, such as `val/loss`."""
        names = sorted(name for name in self.metrics if name.startswith(("train/", "val/")))
        return pd.DataFrame({name: metric_history(self.run, name) for name in names}).sort_index().rename_axis("epoch")

    def table(self, name: str) -> pd.DataFrame:
        """A table that its run keeps, such as `groups` or `strategies`."""
        return pd.DataFrame(**read_json(self.run, f"tables/{name}.json"))

    def images(self, name: str) -> dict[int, np.ndarray]:
        """The images that its run keeps under a name, by the epoch, 0 being before it: `[height, width, 3]`, 0 to 1."""
        matches = ((IMAGE.fullmatch(path.name), path) for path in artifact_path(self.run, "images").iterdir())
        found = {int(match["step"]): path for match, path in matches if match and match["key"] == name}
        return {step: np.asarray(plt.imread(found[step]))[..., :3] for step in sorted(found)}

    def interval(self, metric: str) -> tuple[float, float, float]:
        """A metric and its 95 % interval; KeyError if its run kept neither that nor a standard error."""
        estimate = Estimate.of(self.metrics, metric)
        if estimate.low is None or estimate.high is None:
            raise KeyError(f"{metric}: {self.name} version {self.version} has no interval of it")
        return estimate.value, estimate.low, estimate.high


def start() -> Store:
    """Opens the store of this folder or of the variable STORE, and makes plots small; StoreError if there is none."""
    names = [name for name in StoreOptions.model_fields if name.upper() in os.environ]
    options = parse(StoreOptions, {name: os.environ[name.upper()] for name in names})
    if not is_address(options.store) and not Path(options.store, "mlflow.db").exists():
        raise StoreError(f"store {options.store}: there is none; train or tune first, or set STORE=folder")
    store = store_of(options)
    store.connect()
    start_keras(None)
    plt.rcParams.update({"figure.dpi": 72, "axes.grid": True, "grid.alpha": 0.3, "figure.autolayout": True})
    return store


def load_registered_model(experiment: str, stage: str = "Production", **fields: Any) -> RegisteredModel:
    """The version of an experiment's model in a stage, after `start`.

    Args:
        experiment: its name, such as `vae`.
        stage: of the version, or an alias of it, in any case.
        fields: of the config, where they tell models apart, such as `modality="image-to-text"`.

    Raises:
        NotRegistered: there is none; says which command trains one.
        UserError: the data that it was trained on are not there any more, or its files are not those registered.
    """
    name = find(experiment)(**fields).model_name
    try:
        version = artifacts.find_version(name, stage)
    except NotRegistered:
        train = command("train", experiment, fields)
        raise NotRegistered(f"no {stage} version of {name} in store {current_store()}; {train} first") from None
    record = read_run(str(version.run_id))
    trained = find(experiment).from_params(record.params)
    known, now = version.tags.get("data.digest"), trained.dataset_digest
    if known != now:
        raise UserError(f"{name} version {version.version}: was trained on data {known}; its config now names {now}")
    return RegisteredModel(
        name=name,
        version=str(version.version),
        stage=str(version.current_stage),
        score=artifacts.score_of(version.tags),
        run=record.id,
        experiment=trained,
        metrics=record.metrics,
        model=artifacts.load_version(version),
    )


def models() -> pd.DataFrame:
    """All registered versions: model, version, stage, score, value and its 95 % interval, low to high."""
    rows = []
    for one in overview.overview():
        if score := one.score:
            name = score.name.removeprefix("test/")
            rows.append((one.model, int(one.version), one.stage, name, score.value, score.low, score.high))
    return pd.DataFrame(rows, columns=["model", "version", "stage", "score", "value", "low", "high"])


def studies() -> dict[str, StudyResults]:
    """All studies of the store by name; none where nothing was tuned."""
    return stored_studies(current_store())
