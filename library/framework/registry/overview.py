"""All models and versions at a glance, from a handful of queries however many there are."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow.entities.model_registry import ModelVersion

from .. import statistics
from ..statistics import Score
from .history import Term, terms
from .queries import alone, model, models, versions
from .stages import settle


@dataclass(frozen=True)
class Entry:
    """A version as a list of all shows it.

    Attributes:
        model: name in the registry.
        version: its number.
        stage: Staging, Production or Archived; None where it was never moved.
        score: what it is known by.
        run: id of the run that registered it.
        created: when that was.
        bytes: size of its files; None where it was not recorded.
    """

    model: str
    version: str
    stage: str | None
    score: Score | None
    run: str
    created: datetime
    bytes: int | None


def overview() -> list[Entry]:
    """Every version of every model: models by name, versions newest first. What a dead writer left is finished."""
    by_model: dict[str, list[ModelVersion]] = defaultdict(list)
    with alone():
        for version in versions():
            by_model[version.name].append(version)
        for found in models():
            settle(found, by_model[found.name])
    return [_entry(version) for name in sorted(by_model) for version in by_model[name]]


def history(name: str) -> list[Term]:
    """Who was in Production when and why, oldest first; NotRegistered where there is no such model."""
    with alone():
        settle(model(name), versions(name))
        return terms(model(name).tags)


def _entry(version: ModelVersion) -> Entry:
    stage, size = str(version.current_stage), version.tags.get("artifact.bytes")
    return Entry(
        model=version.name,
        version=str(version.version),
        stage=None if stage == "None" else stage,
        score=statistics.of_tags(version.tags),
        run=str(version.run_id or ""),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        bytes=None if size is None else int(size),
    )
