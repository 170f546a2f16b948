"""Registered models: files and scores that are stored together, and loaded only if the files are unchanged."""

import ast
import hashlib
import math
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc import PyFuncModel

from ..config import STAGES, spelled_stage
from ..environment import one_line
from ..errors import NotRegistered, UserError
from ..experiment import Experiment, ModelArtifacts, TestResult
from ..statistics import Estimate, estimate_of_scores
from ..tracking import queries
from ..tracking.files import discard_copy, fetch_kept, plain_path
from ..tracking.store import current_store
from .queries import available_versions, describe, model, models, version_in, version_of, versions, write_lock

PER_EXAMPLE_SCORES = "test/outcomes.json"
"""Where a run keeps the score of each test example."""


def register(name: str, package: ModelArtifacts, scored: TestResult, tags: Mapping[str, Any], about: str = "") -> str:
    """Logs artifacts to the active run and registers them; returns the number of the new version.

    The page of the version shows its score, the tags, and what it is (the first paragraph of `about`), takes and gives.
    All other scores are on the page of its run.
    """
    requirements = [f"{requirement}=={installed(requirement)}" for requirement in ("mlflow", *package.requirements)]
    params = dict(package.params) or None
    example, output = None if package.untyped_input else package.example, package.example_output
    signature = None if output is None else infer_signature(example, output, params)
    with _without_advice():
        logged = mlflow.pyfunc.log_model(
            name=name,
            signature=signature,
            input_example=package.example,
            python_model=str(package.code),
            artifacts={key: str(path) for key, path in package.files.items()},
            model_config=dict(package.settings),
            pip_requirements=requirements,
        )
    first = about.partition("\n\n")[0]
    description = f"{first}\n\n{_usage(package, logged.signature)}".strip()
    digest, size = _measure(fetch_kept(mlflow.get_logged_model(logged.model_id).artifact_location))
    tagged = {**tags, "artifact.digest": digest, "artifact.bytes": size}
    if one := score_estimate(scored):
        tagged |= {"score": one.name, one.name: one.value, f"{one.name}_low": one.low, f"{one.name}_high": one.high}
    client = mlflow.MlflowClient()
    with write_lock():
        if name not in (other.name for other in models()):
            client.create_registered_model(name)
        if not client.get_registered_model(name).description:
            client.update_registered_model(name, description)
        version = client.create_model_version(
            name,
            logged.model_uri,
            run_id=logged.run_id,
            model_id=logged.model_id,
            description=description,
            tags={key: f"{tag:.6g}" if isinstance(tag, float) else str(tag) for key, tag in tagged.items()},
        )
    return str(version.version)


def _usage(package: ModelArtifacts, signature: ModelSignature | None) -> str:
    """What a model takes and gives; in the words of its file where it takes inputs of several kinds."""
    if package.untyped_input or signature is None:
        code = ast.get_docstring(ast.parse(package.code.read_text(encoding="utf-8"))) or ""
        return code.partition("\n\nMLflow ")[0]
    params = f", with the params `{signature.params}`" if signature.params else ""
    example = f"as in `predict({as_python(package.example)})`"
    return f"Takes `{signature.inputs}`{params} and gives `{signature.outputs}`, {example}."


def as_python(example: Any) -> str:
    """An expression for an example, or for an array of its shape and type."""
    return f'np.zeros({example.shape}, "{example.dtype}")' if hasattr(example, "dtype") else repr(example)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Drops MLflow's warning that `predict` has no type hints; it outdoes filters, so that they cannot."""
    with warnings.catch_warnings(record=True) as caught:
        yield
    for one in caught:
        if "Add type hints to the `predict` method" not in str(one.message):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def load_model(name: str, stage: str = "Production", version: int | None = None) -> PyFuncModel:
    """A version of a registered model, ready to `predict`; of the store in `mlruns` unless another was opened.

    Args:
        name: of the model.
        stage: that the version is in, or an alias of it, in any case.
        version: its number, whatever its stage.

    Raises:
        NotRegistered: there is no such model or version, or none in that stage.
        UserError: there is no such stage or alias, or the files are not those that were registered.
    """
    return load_version(find_version(name, stage, version))


def load_version(version: ModelVersion) -> PyFuncModel:
    """A version, ready to `predict`; UserError where its files are not those that were registered."""
    verify(version)
    with _without_advice():
        return mlflow.pyfunc.load_model(plain_path(folder_of(version)))


def params_of(version: ModelVersion) -> set[str]:
    """The names of the params that a version takes, read without loading it."""
    signature = mlflow.models.get_model_info(plain_path(folder_of(version))).signature
    return {param.name for param in signature.params or ()} if signature else set()


def find_version(name: str, stage: str = "Production", version: int | None = None) -> ModelVersion:
    """The version of a number, or else that in a stage or of an alias; raises what `load_model` raises."""
    current_store()
    stage = spelled_stage(stage)
    if not version and stage not in STAGES:
        aliases = {alias.lower(): number for alias, number in model(name).aliases.items()}
        if stage.lower() not in aliases:
            others = ", ".join(alias for alias in aliases if spelled_stage(alias) not in STAGES)
            allowed = f"{', '.join(STAGES)}, or an alias of model {name!r}: {others or 'it has none'}"
            raise UserError(f"stage: got {stage!r}; allowed are {allowed}")
        version = int(aliases[stage.lower()])
    found = version_of(name, str(version)) if version else version_in(name, stage)
    if found is None:
        model(name)
        raise NotRegistered(f"model {name!r}: no version in stage {stage}; {available_versions(name)}")
    return found


def load_trained_from(experiment: Experiment) -> Any:
    """The newest registered model of an experiment's config and data, as its own file defines it.

    NotRegistered where there is none; UserError where its files are not those that were registered.
    """
    found = find_trained_from(experiment)
    if found is None:
        name, config = experiment.model_name, experiment.config
        raise NotRegistered(f"model {name!r}: no version was trained from {config!r}; {available_versions(name)}")
    return load_version(found).unwrap_python_model()  # type: ignore[no-untyped-call]


def find_trained_from(experiment: Experiment) -> ModelVersion | None:
    """The newest version that was trained from an experiment's config on the same data; None without one."""
    current_store()
    params = {field: str(value) for field, value in experiment.config.model_dump().items()}
    found = versions(experiment.model_name)
    digest = experiment.dataset_digest if found else ""
    for version in found:
        if version.tags.get("data.digest") == digest:
            # A run has more params than its config: MLflow adds a model's settings.
            recorded = queries.read_run(str(version.run_id)).params
            if params.items() <= recorded.items():
                return version
    return None


def score_estimate(scored: TestResult) -> Estimate | None:
    """The score by which a version is known, with its 95 % interval; None without scores of examples."""
    if not scored.per_example_scores:
        return None
    return estimate_of_scores(scored.per_example_scores, scored.score, scored.metrics.get(scored.score))


def score_of(tags: Mapping[str, str]) -> Estimate | None:
    """The score of a version by its tags; of one from before it was named, the first with an interval."""
    bounded = (name for name in sorted(tags) if f"{name}_low" in tags and f"{name}_high" in tags)
    name = tags.get("score") or next(bounded, None)
    if name is None:
        return None
    parts = {key: value for key in tags if key.startswith(name) and (value := number_of(tags, key)) is not None}
    return Estimate.of(parts, name) if name in parts else None


def number_of(tags: Mapping[str, str], name: str) -> float | None:
    """A tag's number; None where it has none, as after another hand changed it."""
    try:
        value = float(tags.get(name, "nan"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def verify(version: ModelVersion) -> None:
    """Raises a UserError unless the version's files are those that were registered."""
    registered = version.tags.get("artifact.digest")
    try:
        digest, _ = _measure(folder_of(version))
        if digest != registered and discard_copy(_address_of(version)):
            digest, _ = _measure(folder_of(version))
    except (OSError, MlflowException) as error:
        raise UserError(
            f"{describe(version)}: its files cannot be read from {_address_of(version)}: {one_line(error)}"
        ) from error
    if digest != registered:
        raise UserError(f"{describe(version)}: its files are not those that were registered")


def per_example_scores(run_id: str) -> dict[str, float]:
    """A run's score of each test example, by the example's name; none if they were not kept."""
    try:
        return dict(queries.read_json(run_id, PER_EXAMPLE_SCORES))
    except (OSError, MlflowException):
        return {}


def folder_of(version: ModelVersion) -> Path:
    """Where a version's files are here; by its name, MLflow would write a file to them when it loads them."""
    return fetch_kept(_address_of(version))


def _address_of(version: ModelVersion) -> str:
    return str(mlflow.MlflowClient().get_model_version_download_uri(version.name, version.version))


def _measure(folder: Path) -> tuple[str, int]:
    """SHA-256 over the names and contents of a model's files, and their size in bytes; OSError without a folder."""
    folder.stat()  # a walk would find no file where there is no folder
    sha, size = hashlib.sha256(), 0
    for path in sorted(_files(folder)):
        content = path.read_bytes()
        sha.update(str(path.relative_to(folder)).encode() + content)
        size += len(content)
    return sha.hexdigest(), size


def _files(folder: Path) -> Iterator[Path]:
    """All files but MLflow's own record of loading it, which another process may be writing at this moment.

    Bytecode that an earlier load left there was not registered: it is removed, so that it is never run unchecked.
    """
    for parent, folders, names in os.walk(folder):  # which continues where another process removes what it found
        if "__pycache__" in folders:
            shutil.rmtree(Path(parent, "__pycache__"), ignore_errors=True)
            folders.remove("__pycache__")
        yield from (Path(parent, name) for name in names if name != "registered_model_meta")
