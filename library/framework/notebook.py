"""What a notebook looks at: registered models, the runs that they are from, and studies; it trains and changes nothing.

A notebook names an experiment and is given the model with its config, scores and course, as tables and arrays.
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
    warnings.simplefilter("ignore")  # a package that MLflow brings along misses progress bars that nobody shows here
    from . import discovery, environment, registry, tuning
    from .tracking import queries
    from .tracking.store import Store, connected
from .config import parse
from .environment import start_keras
from .errors import NotRegistered, StoreError, UserError
from .statistics import Score, of_tags

# Of a file that `log_image` keeps: its key, which may hold a slash, and its step.
IMAGE = re.compile(r"(?P<key>.+)\+step\+(?P<step>\d+)\+timestamp\+.*(?<!compressed)\.(?:png|webp)")


@dataclass(frozen=True)
class Registered:
    """A registered model, and what its run tells of it.

    Attributes:
        name: in the registry.
        version: its number.
        stage: that it is in.
        score: what it is known by, with its 95 % interval; None where that was not kept.
        run: id of the run that it is from.
        config: that it was trained with.
        metrics: the last value of each.
        model: what `registry.load` gives: ask it by `predict`.
    """

    name: str
    version: str
    stage: str
    score: Score | None
    run: str
    config: Any
    metrics: Mapping[str, float]
    model: Any

    def __str__(self) -> str:
        minutes = self.metrics.get("time/training_seconds", np.nan) / 60
        return f"{self.name} version {self.version} in {self.stage}, trained in {minutes:.1f} minutes: {self.score}"

    @property
    def served(self) -> Any:
        """The model as its own file in `library/serving` defines it, with its networks."""
        return self.model.unwrap_python_model()

    @property
    def network(self) -> Any:
        """The Keras network of a model of sequences or of a classifier, without its optimizer."""
        inner = self.served
        return inner.network if hasattr(inner, "network") else inner._network

    def history(self) -> pd.DataFrame:
        """The course of its training: a row for each epoch, a column for each metric, such as `val/loss`."""
        names = sorted(name for name in self.metrics if name.startswith(("train/", "val/")))
        columns = {name: queries.course(self.run, name) for name in names}
        return pd.DataFrame(columns).sort_index().rename_axis("epoch")

    def table(self, name: str) -> pd.DataFrame:
        """A table that its run keeps, such as `groups` or `strategies`."""
        return pd.DataFrame(**queries.read_json(self.run, f"tables/{name}.json"))

    def images(self, name: str) -> dict[int, np.ndarray]:
        """The images that its run keeps under a name, by the epoch, 0 being before it: `[height, width, 3]`, 0 to 1."""
        folder = queries.artifact(self.run, "images")
        found = {int(match["step"]): path for path in folder.iterdir() if (match := _image(path, name))}
        return {step: np.asarray(plt.imread(found[step]))[..., :3] for step in sorted(found)}

    def interval(self, metric: str) -> tuple[float, float, float]:
        """A metric and its 95 % interval; KeyError if its run kept neither that nor a standard error."""
        bounds = queries.interval(self.metrics, metric)
        if bounds is None:
            raise KeyError(f"{metric}: {self.name} version {self.version} has no interval of it")
        return self.metrics[metric], *bounds


def start() -> Store:
    """Opens the store of this repository, or the one that the environment's `STORE` names, and makes plots small.

    Raises:
        StoreError: there is none.
    """
    folder = Path(os.environ.get("STORE", "mlruns"))
    if not (folder / "mlflow.db").exists():
        raise StoreError(f"store {folder}: there is none; train or tune first, or set STORE=folder")
    store = Store(folder.resolve())
    store.connect()
    start_keras(None)
    plt.rcParams.update({"figure.dpi": 72, "axes.grid": True, "grid.alpha": 0.3, "figure.autolayout": True})
    return store


def look(experiment: str, stage: str = "Production", **fields: Any) -> Registered:
    """The version of an experiment's model in a stage, after `start`.

    Args:
        experiment: its name, such as `vae`.
        stage: of the version.
        fields: of the config, where they tell models apart, such as `modality="image-to-text"`.

    Raises:
        NotRegistered: there is none; says which command trains one.
        UserError: the data that it was trained on are not there any more, or its files are not those registered.
    """
    of = discovery.find(experiment)
    name = of.model_name(parse(of.config, fields))
    try:
        version = registry.find(name, stage)
    except NotRegistered:
        command = environment.command("train", experiment, fields)
        raise NotRegistered(f"no {stage} version of {name} in store {_store_name()}; {command} first") from None
    params = queries.params_of(str(version.run_id))
    config = of.recorded(params)
    known, now = version.tags.get("data.digest"), of.digest(config)
    if known != now:
        raise UserError(f"{name} version {version.version}: was trained on data {known}; its config now names {now}")
    return Registered(
        name=name,
        version=str(version.version),
        stage=stage,
        score=of_tags(version.tags),
        run=str(version.run_id),
        config=config,
        metrics=queries.metrics_of(str(version.run_id)),
        model=registry.load_version(version),
    )


def models() -> pd.DataFrame:
    """All registered versions: model, version, stage, score, value and its 95 % interval, low to high."""
    columns = ["model", "version", "stage", "score", "value", "low", "high"]
    rows = [
        (one.model, int(one.version), one.stage, one.score.name.removeprefix("test/"), one.score.value, one.score.low,
         one.score.high)
        for one in registry.overview()
        if one.score
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def studies() -> dict[str, tuning.Past]:
    """All studies of the store by name; none where nothing was tuned."""
    return tuning.studies_of(connected())


def _image(path: Path, name: str) -> re.Match[str] | None:
    match = IMAGE.fullmatch(path.name)
    return match if match and match["key"] == name else None


def _store_name() -> str:
    return os.environ.get("STORE", "mlruns")
