"""Versions of a tiny model, made quickly, and what the registry tells of them."""

import warnings
from pathlib import Path

import mlflow

from library.framework.experiment import TestResult
from library.framework.registry import artifacts, stages
from library.framework.registry.overview import production_history
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.store import Store
from tests.tiny import Tiny

NAME = "tiny"


def register(store: Store, folder: Path, right: str) -> str:
    """Registers a version whose scores are the digits of a string, one for each test example."""
    scores = {str(i): float(digit) for i, digit in enumerate(right)}
    with start_run(store, "tests", "run") as run:
        package = Tiny(units=len(right)).package(None, folder)
        run.log_json(artifacts.PER_EXAMPLE_SCORES, scores)
        return artifacts.register(NAME, package, TestResult({"test/accuracy": 0.25}, scores), {"study": "s"})


def clone(version: str, times: int) -> list[str]:
    """More versions of the same files, without the time that logging takes."""
    one, client = mlflow.MlflowClient().get_model_version(NAME, version), mlflow.MlflowClient()
    origin = {"run_id": one.run_id, "tags": one.tags, "model_id": one.model_id}
    return [str(client.create_model_version(NAME, one.source, **origin).version) for _ in range(times)]


def three(store: Store, folder: Path) -> None:
    """Versions 1, 2 and 3, of which the last is in Production and the others were before."""
    first = register(store, folder, "01")
    for version in [first, *clone(first, 2)]:
        stages.set_stage(NAME, version, force=True)


def stages_now() -> dict[str, str]:
    """The stage of each version."""
    return {str(v.version): v.current_stage for v in mlflow.MlflowClient().search_model_versions(f"name='{NAME}'")}


def aliases() -> dict[str, str]:
    """The version of each alias."""
    return {alias: str(v) for alias, v in mlflow.MlflowClient().get_registered_model(NAME).aliases.items()}


def past() -> list[tuple[str | None, str]]:
    """Which version was in Production and why, oldest first."""
    return [(period.version, period.reason) for period in production_history(NAME)]


def transition(version: str, stage: str) -> None:
    """What MLflow's own pages do."""
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        mlflow.MlflowClient().transition_model_version_stage(NAME, version, stage)
