"""The model registry: register, promote, load; the only file that speaks to it.

A stage is two things at once here, as MLflow calls its stages deprecated and its aliases their successor: the native
stage and an alias of the same name in lower case. `models:/NAME/Production` and `models:/NAME@production` name one
version.
"""

import ast
import hashlib
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.pyfunc import PyFuncModel

from library import tracking
from library.configs import STAGES, Config
from library.errors import NotRegistered, UserError
from library.evaluation.comparison import compare
from library.experiment import Package, Scores

OUTCOMES = "test/outcomes.json"


@dataclass(frozen=True)
class Promotion:
    """What became of a candidate: the stage it reached, and why."""

    stage: str
    reason: str


def register(name: str, package: Package, scores: Scores, tags: Mapping[str, Any]) -> str:
    """Logs a package to the active run and registers it; returns the number of the new version.

    The scores go along, example by example, for later comparisons; the version's page tells them, the tags, and what
    the package's file says of itself.
    """
    mlflow.log_dict(dict(scores.outcomes), OUTCOMES)
    requirements = [f"{requirement}=={installed(requirement)}" for requirement in ("mlflow", *package.requirements)]
    params = dict(package.params) or None
    signature = None if package.answer is None else infer_signature(package.example, package.answer, params)
    model = mlflow.pyfunc.log_model(
        name=name,
        signature=signature,
        input_example=package.example,
        python_model=str(package.code),
        artifacts={key: str(path) for key, path in package.files.items()},
        model_config=dict(package.settings),
        pip_requirements=requirements,
    )
    client = mlflow.MlflowClient()
    _create(client, name)
    version = client.create_model_version(
        name,
        model.model_uri,
        run_id=model.run_id,
        model_id=model.model_id,
        description=ast.get_docstring(ast.parse(package.code.read_text(encoding="utf-8"))),
        tags={**_texts(tags), **_texts(scores.metrics), "artifact.digest": _digest(model.model_uri)},
    )
    return str(version.version)


def promote(name: str, version: str) -> Promotion:
    """Moves a version to Production if it beats the holder on common test examples not by chance; else to Staging.

    The reason becomes the version's tag `promotion`. See `library.evaluation.comparison` for the test.
    """
    promotion = _judge(name, version)
    mlflow.MlflowClient().set_model_version_tag(name, version, "promotion", promotion.reason)
    move(name, version, promotion.stage)
    return promotion


def move(name: str, version: str, stage: str) -> None:
    """Puts a version into a stage, alone there: what was in Staging or Production before is archived."""
    _check_stage(stage)
    client = mlflow.MlflowClient()
    with _quiet():
        client.transition_model_version_stage(name, version, stage, archive_existing_versions=stage != "Archived")
    _align_aliases(client, name)


def load(name: str, stage: str = "Production") -> PyFuncModel:
    """The registered model in a stage, ready to `predict`; of the store in `mlruns` unless another was opened.

    Raises:
        NotRegistered: there is no such model, or none in that stage.
        UserError: there is no such stage, or the files are not those that were registered.
    """
    _check_stage(stage)
    _connect()
    holder = _holder(name, stage)
    if holder is None:
        raise NotRegistered(f"model {name!r}: no version in stage {stage}; {_inventory(name)}")
    return _load(holder)


def load_trained_from(name: str, config: Config, data_digest: str) -> Any:
    """The newest registered model that was trained from this config on these data, as its own file defines it.

    Raises:
        NotRegistered: there is none.
        UserError: its files are not those that were registered.
    """
    _connect()
    found = _trained_from(name, config, data_digest)
    if found is None:
        raise NotRegistered(f"model {name!r}: no version was trained from {config!r}; {_inventory(name)}")
    return _load(found).unwrap_python_model()  # type: ignore[no-untyped-call]


def is_trained_from(name: str, config: Config, data_digest: str) -> bool:
    """Whether a registered model was trained from this config on these data."""
    return _trained_from(name, config, data_digest) is not None


def stage_of(name: str, version: str) -> str:
    """The stage that a version is in now."""
    return str(mlflow.MlflowClient().get_model_version(name, version).current_stage)


def _trained_from(name: str, config: Config, data_digest: str) -> ModelVersion | None:
    params = {field: str(value) for field, value in config.model_dump().items()}
    for version in _versions(name):
        # A run has more params than its config: MLflow adds a model's settings.
        if (
            version.tags.get("data.digest") == data_digest
            and params.items() <= tracking.params_of(str(version.run_id)).items()
        ):
            return version
    return None


def _connect() -> None:
    """To the store in `mlruns`, unless another was opened."""
    if not mlflow.is_tracking_uri_set():  # type: ignore[no-untyped-call]
        tracking.Store(Path("mlruns").resolve()).connect()


def _load(version: ModelVersion) -> PyFuncModel:
    uri = f"models:/{version.name}/{version.version}"
    if version.tags.get("artifact.digest") != _digest(uri):
        which = f"model {version.name!r} version {version.version}"
        raise UserError(f"{which}: its files are not those that were registered")
    return mlflow.pyfunc.load_model(uri)


def _judge(name: str, version: str) -> Promotion:
    holder = _holder(name, "Production")
    if holder is None:
        return Promotion("Production", "the first version: there was no holder to beat")
    candidate = mlflow.MlflowClient().get_model_version(name, version)
    comparison = compare(_outcomes(candidate), _outcomes(holder))
    if not comparison.examples:
        return Promotion("Staging", f"was tested on other examples than version {holder.version}, which stays")
    if comparison.is_better():
        return Promotion("Production", f"beats version {holder.version}: {comparison}")
    return Promotion("Staging", f"does not beat version {holder.version} by more than chance: {comparison}")


def _outcomes(version: ModelVersion) -> dict[str, float]:
    return dict(tracking.read_json(str(version.run_id), OUTCOMES))


def _versions(name: str) -> list[ModelVersion]:
    """All versions, newest first; none where there is no such model."""
    found = mlflow.MlflowClient().search_model_versions(f"name='{name}'")
    return sorted(found, key=lambda version: -int(version.version))


def _holder(name: str, stage: str) -> ModelVersion | None:
    """The version in a stage, the newest of several."""
    return next((version for version in _versions(name) if version.current_stage == stage), None)


def _inventory(name: str) -> str:
    """What there is instead, for an error's last words."""
    held = [f"version {version.version} in {version.current_stage}" for version in _versions(name)]
    return f"there is {', '.join(held)}" if held else "train or tune one first"


def _create(client: mlflow.MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _align_aliases(client: mlflow.MlflowClient, name: str) -> None:
    for stage in STAGES:
        holder = _holder(name, stage)
        if holder:
            client.set_registered_model_alias(name, stage.lower(), holder.version)
        else:
            client.delete_registered_model_alias(name, stage.lower())


def _digest(model_uri: str) -> str:
    """SHA-256 over the names and contents of all files of a model, but for MLflow's own note of loading it.

    Bytecode that an earlier load left there was not registered: it is removed, so that it is never run unseen.
    """
    folder = Path(mlflow.artifacts.download_artifacts(model_uri))
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache, ignore_errors=True)
    sha = hashlib.sha256()
    skipped = {"__pycache__", "registered_model_meta"}  # another process may be loading the model at this moment
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and skipped.isdisjoint(path.parts)):
        sha.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return sha.hexdigest()


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in values.items()}


def _check_stage(stage: str) -> None:
    if stage not in STAGES:
        raise UserError(f"stage: got {stage!r}; allowed are {', '.join(STAGES)}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's warning that stages will go: when they do, the aliases are there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Mm]odel registry stages", category=FutureWarning)
        yield
