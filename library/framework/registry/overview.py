"""A list of all models and versions, from a handful of queries however many there are."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from ..statistics import Estimate
from ..tracking.store import current_store
from .artifacts import number_of, score_of
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
    with _reconciling() as reconciled:
        for version in versions():
            by_model[version.name].append(version)
        for found in models():
            reconciled(found, by_model[found.name])
    return [_entry(version) for version in sorted(versions(), key=lambda version: version.name)]


def production_history(name: str) -> list[ProductionPeriod]:
    """Which version was in Production when and why, oldest first; NotRegistered where there is no such model."""
    with _reconciling() as reconciled:
        found = versions(name)
        reconciled(model(name), found)
        past, numbers = periods(model(name).tags), {str(version.version) for version in found}
    return [period if period.version in {*numbers, None} else period.of_deleted_version() for period in past]


@contextmanager
def _reconciling() -> Iterator[Callable[[RegisteredModel, Sequence[ModelVersion]], None]]:
    """Gives `reconcile`, under the lock that it needs; what does nothing where the store cannot be written."""
    if current_store().refusal():
        yield lambda *_: None
    else:
        with write_lock():
            yield reconcile


def _entry(version: ModelVersion) -> VersionRecord:
    stage, size = str(version.current_stage), number_of(version.tags, "artifact.bytes")
    return VersionRecord(
        model=version.name,
        version=str(version.version),
        stage=None if stage == "None" else stage,
        score=score_of(version.tags),
        run=str(version.run_id or ""),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        bytes=None if size is None else int(size),
    )
