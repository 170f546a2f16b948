"""A list of all models and versions, from a handful of queries however many there are."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow.entities.model_registry import ModelVersion

from ..statistics import Estimate
from .artifacts import score_of
from .history import ProductionPeriod, periods
from .queries import model, models, versions, write_lock
from .stages import reconcile


@dataclass(frozen=True)
class VersionRecord:
    """A version as a list of all shows it, with the id of the run that registered it.

    The stage is None where it was never moved; the size of its files, in bytes, is None where it was not recorded.
    """

    model: str
    version: str
    stage: str | None
    score: Estimate | None
    run: str
    created: datetime
    bytes: int | None


def overview() -> list[VersionRecord]:
    """Every version of every model, by name, newest first; what a dead writer left is completed before."""
    by_model: dict[str, list[ModelVersion]] = defaultdict(list)
    with write_lock():
        for version in versions():
            by_model[version.name].append(version)
        for found in models():
            reconcile(found, by_model[found.name])
    return [_entry(version) for name in sorted(by_model) for version in by_model[name]]


def production_history(name: str) -> list[ProductionPeriod]:
    """Which version was in Production when and why, oldest first; NotRegistered where there is no such model."""
    with write_lock():
        reconcile(model(name), versions(name))
        return periods(model(name).tags)


def _entry(version: ModelVersion) -> VersionRecord:
    stage, size = str(version.current_stage), version.tags.get("artifact.bytes")
    return VersionRecord(
        model=version.name,
        version=str(version.version),
        stage=None if stage == "None" else stage,
        score=score_of(version.tags),
        run=str(version.run_id or ""),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        bytes=None if size is None else int(size),
    )
