"""What is registered: files and scores that go in together, and come out only if the files are the same."""

import ast
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.pyfunc import PyFuncModel

from ..config import Config
from ..environment import one_line
from ..errors import NotRegistered, UserError
from ..experiment import Package, Scores
from ..statistics import headline
from ..tracking import queries
from ..tracking.store import Store
from .queries import alone, check_stage, holder, inventory, model, told, versions

OUTCOMES = "test/outcomes.json"


def register(name: str, package: Package, scores: Scores, tags: Mapping[str, Any]) -> str:
    """Logs a package to the active run and registers it; returns the number of the new version.

    The scores of the examples go along, for later comparisons; the page of the version tells what they come to, the
    tags, and what the file of the package says of itself. All other scores are on the page of its run.
    """
    mlflow.log_dict(dict(scores.outcomes), OUTCOMES)
    requirements = [f"{requirement}=={installed(requirement)}" for requirement in ("mlflow", *package.requirements)]
    params = dict(package.params) or None
    shown = None if package.any_input else package.example
    signature = None if package.answer is None else infer_signature(shown, package.answer, params)
    logged = mlflow.pyfunc.log_model(
        name=name,
        signature=signature,
        input_example=package.example,
        python_model=str(package.code),
        artifacts={key: str(path) for key, path in package.files.items()},
        model_config=dict(package.settings),
        pip_requirements=requirements,
    )
    digest, size = _measure(logged.model_uri)
    own = {"artifact.digest": digest, "artifact.bytes": size}
    client = mlflow.MlflowClient()
    with alone():
        _create(client, name)
        version = client.create_model_version(
            name,
            logged.model_uri,
            run_id=logged.run_id,
            model_id=logged.model_id,
            description=ast.get_docstring(ast.parse(package.code.read_text(encoding="utf-8"))),
            tags=_texts({**tags, **headline(scores), **own}),
        )
    return str(version.version)


def load(name: str, stage: str = "Production") -> PyFuncModel:
    """The registered model in a stage, ready to `predict`; of the store in `mlruns` unless another was opened.

    Raises:
        NotRegistered: there is no such model, or none in that stage.
        UserError: there is no such stage, or the files are not those that were registered.
    """
    return load_version(find(name, stage))


def load_version(version: ModelVersion) -> PyFuncModel:
    """A version, ready to `predict`; UserError where its files are not those that were registered."""
    verify(version)
    return mlflow.pyfunc.load_model(_uri(version))


def find(name: str, stage: str = "Production") -> ModelVersion:
    """The version in a stage, with its run and its tags.

    Raises:
        NotRegistered: there is no such model, or none in that stage.
        UserError: there is no such stage.
    """
    check_stage(stage)
    _connect()
    found = holder(name, stage)
    if found is None:
        model(name)
        raise NotRegistered(f"model {name!r}: no version in stage {stage}; {inventory(name)}")
    return found


def load_trained_from(name: str, config: Config, data_digest: str) -> Any:
    """The newest registered model that was trained from this config on these data, as its own file defines it.

    Raises:
        NotRegistered: there is none.
        UserError: its files are not those that were registered.
    """
    found = trained_from(name, config, data_digest)
    if found is None:
        raise NotRegistered(f"model {name!r}: no version was trained from {config!r}; {inventory(name)}")
    return load_version(found).unwrap_python_model()  # type: ignore[no-untyped-call]


def trained_from(name: str, config: Config, data_digest: str) -> ModelVersion | None:
    """The newest version of a registered model that was trained from this config on these data; None without one."""
    _connect()
    params = {field: str(value) for field, value in config.model_dump().items()}
    for version in versions(name):
        # A run has more params than its config: MLflow adds a model's settings.
        if (
            version.tags.get("data.digest") == data_digest
            and params.items() <= queries.params_of(str(version.run_id)).items()
        ):
            return version
    return None


def verify(version: ModelVersion) -> None:
    """Raises a UserError unless the version's files are those that were registered."""
    try:
        digest, _ = _measure(_uri(version))
    except (OSError, MlflowException) as error:
        lie = mlflow.MlflowClient().get_model_version_download_uri(version.name, version.version)
        raise UserError(f"{told(version)}: its files cannot be read from {lie}: {one_line(error)}") from error
    if version.tags.get("artifact.digest") != digest:
        raise UserError(f"{told(version)}: its files are not those that were registered")


def outcomes(version: ModelVersion) -> dict[str, float]:
    """The version's score on each test example, by the example's name; none if they were not kept."""
    try:
        return dict(queries.read_json(str(version.run_id), OUTCOMES))
    except (OSError, MlflowException):
        return {}


def _connect() -> None:
    """To the store in `mlruns`, unless another was opened."""
    if not mlflow.is_tracking_uri_set():  # type: ignore[no-untyped-call]
        Store(Path("mlruns").resolve()).connect()


def _uri(version: ModelVersion) -> str:
    return f"models:/{version.name}/{version.version}"


def _create(client: mlflow.MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _measure(model_uri: str) -> tuple[str, int]:
    """SHA-256 over the names and contents of all files of a model, and their size in bytes."""
    folder = Path(mlflow.artifacts.download_artifacts(model_uri))
    sha, size = hashlib.sha256(), 0
    for path in sorted(_files(folder)):
        content = path.read_bytes()
        sha.update(str(path.relative_to(folder)).encode() + content)
        size += len(content)
    return sha.hexdigest(), size


def _files(folder: Path) -> Iterator[Path]:
    """All files but MLflow's own note of loading it, which another process may be writing at this moment.

    Bytecode that an earlier load left there was not registered: it is removed, so that it is never run unseen.
    """
    for parent, folders, names in os.walk(folder):  # which goes on where another process removes what it found
        if "__pycache__" in folders:
            shutil.rmtree(Path(parent, "__pycache__"), ignore_errors=True)
            folders.remove("__pycache__")
        yield from (Path(parent, name) for name in names if name != "registered_model_meta")


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in values.items()}
