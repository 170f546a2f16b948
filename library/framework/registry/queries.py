"""Models and versions as the registry has them, and what errors say of those that it lacks."""

from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from ..config import STAGES, spelled_stage
from ..errors import NotRegistered, UserError
from ..tracking.store import current_store
from .history import moved_to

MAX_LISTED = 10
"""Versions that an error lists, the newest; the others it counts."""


def model(name: str) -> RegisteredModel:
    """The registered model of a name, with its tags and aliases; NotRegistered tells which there are."""
    try:
        return mlflow.MlflowClient().get_registered_model(name)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
    there = ", ".join(one.name for one in models())
    raise NotRegistered(f"model {name!r}: not registered; " + (f"there is {there}" if there else "train or tune first"))


def models() -> list[RegisteredModel]:
    """All registered models by name, with their tags and aliases."""
    return mlflow.search_registered_models(order_by=["name"])


def versions(name: str | None = None) -> list[ModelVersion]:
    """All versions of a model, or of all, newest first; none where there is no such model."""
    # MLflow's grammar has no escape for a quote, which its pages allow in a name.
    found = mlflow.search_model_versions(filter_string=None if name is None or "'" in name else f"name='{name}'")
    return sorted((one for one in found if name in (None, one.name)), key=lambda version: -int(version.version))


def version_of(name: str, number: str) -> ModelVersion:
    """One version of a model that there is; NotRegistered tells which there are."""
    found = next((version for version in versions(name) if str(version.version) == number), None)
    if found is None:
        model(name)
        raise NotRegistered(f"model {name!r}: no version {number}; {available_versions(name)}")
    return found


def version_in(name: str, stage: str) -> ModelVersion | None:
    """The version in a stage; of several the newest, as in MLflow's own loader.

    In Production it is that to which other means moved the alias since, though the stage has yet to follow.
    """
    found = {str(version.version): version for version in versions(name)}
    held = next((number for number, version in found.items() if version.current_stage == stage), None)
    if held and stage == "Production":
        now = model(name)
        return found.get(moved_to(now.tags, now.aliases, held) or held, found[held])
    return found.get(str(held))


def stage_of(name: str, version: str) -> str:
    """The stage that a version is in now; NotRegistered if it was deleted."""
    return str(version_of(name, version).current_stage)


def describe(version: ModelVersion) -> str:
    """Names a version, as an error's first words."""
    return f"model {version.name!r} version {version.version}"


def available_versions(name: str) -> str:
    """The versions that there are, as an error's last words."""
    stages = {str(one.version): str(one.current_stage) for one in versions(name)}
    held = [f"version {number} in {stage.replace('None', 'no stage')}" for number, stage in stages.items()]
    earlier = f" and {len(held) - MAX_LISTED} earlier" if len(held) > MAX_LISTED else ""
    return f"there is {', '.join(held[:MAX_LISTED])}{earlier}" if held else "train or tune one first"


def check_stage(stage: str) -> str:
    """The stage, given in any case, as MLflow spells it; UserError where there is none."""
    if spelled_stage(stage) not in STAGES:
        raise UserError(f"stage: got {stage!r}; allowed are {', '.join(STAGES)}")
    return spelled_stage(stage)


@contextmanager
def write_lock() -> Iterator[None]:
    """Makes this process the only one that writes to the registry of the store; not to be nested."""
    with current_store().lock("registry"):
        yield
