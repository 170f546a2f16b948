"""Which version is in which stage, one writer at a time.

The native stage is the truth, and all else follows it. MLflow moves a version into a stage and those that were there
out of it in one transaction, so whoever loads by stage finds one version at every moment. But two such transactions at
once would each miss the other's version and leave two: hence the lock in the store, which a process's death releases.
The alias and the history are written after the stage. Until then the alias names the version that was there before,
which loads as well; if the writer dies in between, the next one to take the lock finishes that first (`settle`), with
the reason that was left in the tag `promoting` before the stage was touched.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from ..config import STAGES
from ..errors import UserError
from ..tracking import queries
from . import artifacts, history
from .queries import alone, check_stage, holder, model, told, version_of, versions

PROMOTING = "promoting"


@dataclass(frozen=True)
class Promotion:
    """What became of a version: the stage it reached, and why."""

    version: str
    stage: str
    reason: str


def promote(name: str, version: str) -> Promotion:
    """Moves a version to Production if it beats the holder on common test examples not by chance; else to Staging.

    The reason becomes the version's tag `promotion`. See `library.framework.statistics` for the test.
    """
    with _writing(name):
        return _move(name, _judge(version_of(name, version)))


def appoint(name: str, version: str, stage: str = "Production", *, force: bool = False) -> Promotion:
    """Moves a version to a stage because somebody wants it there, unless there is a reason against it.

    Such are: it is archived, or its run failed; it would go to Production and `promote` would not put it there; it
    would leave Production, with no other to load.

    Args:
        name: of the registered model.
        version: its number.
        stage: where to.
        force: move it all the same; never to Staging or Production if its files are not those that were registered.

    Raises:
        NotRegistered: there is no such model or version.
        UserError: there is no such stage, the version is in it already, or it is refused; says why.
    """
    check_stage(stage)
    with _writing(name):
        found = version_of(name, version)
        if found.current_stage == stage:
            raise UserError(f"{told(found)}: is in {stage} already")
        promotion = Promotion(version, stage, "forced") if force else _consider(found, stage)
        if promotion.stage != stage:
            raise UserError(f"{told(found)}: {promotion.reason}; FORCE=1 does it all the same")
        if stage != "Archived":
            artifacts.verify(found)
        return _move(name, promotion)


def rollback(name: str) -> Promotion:
    """Brings back the version that was in Production before, of those that still are; once more goes further back.

    Raises:
        NotRegistered: there is no such model.
        UserError: there was none before, or its files are not those that were registered.
    """
    with _writing(name):
        held, there = holder(name, "Production"), {str(version.version): version for version in versions(name)}
        now = str(held.version) if held else "none"
        line = history.lineage(history.terms(model(name).tags))
        before = next((number for number in reversed(line) if number != now and number in there), None)
        if before is None:
            raise UserError(f"model {name!r}: no other version was in Production before; nothing to go back to")
        artifacts.verify(there[before])
        return _move(name, Promotion(before, "Production", f"{history.BACK} from {now}"))


def move(name: str, version: str, stage: str) -> None:
    """Puts a version into a stage, alone there: what was in Staging or Production before is archived."""
    check_stage(stage)
    with _writing(name):
        _move(name, Promotion(version, stage, "moved"))


def settle(found: RegisteredModel, of_it: Sequence[ModelVersion]) -> None:
    """Makes aliases and history follow the stages, one version in each; for whoever is `alone`.

    Args:
        found: the model.
        of_it: its versions, newest first.
    """
    client, tags = mlflow.MlflowClient(), found.tags
    holders = {str(one.current_stage): str(one.version) for one in reversed(of_it)}
    for one in of_it:
        if one.current_stage in ("Staging", "Production") and str(one.version) != holders[one.current_stage]:
            # MLflow's own pages can leave two: the newest is the one that its loader takes.
            _transition(found.name, str(one.version), "Archived")
            holders["Archived"] = max(str(one.version), holders.get("Archived", "0"), key=int)
    now, past = holders.get("Production"), history.terms(tags)
    if now != (past[-1].version if past else None):
        number, _, reason = tags.get(PROMOTING, "").partition(" ")
        key, value = history.entry(tags, now, reason if number == str(now) else history.UNKNOWN)
        client.set_registered_model_tag(found.name, key, value)
    for stage in STAGES:
        _align_alias(found, stage.lower(), holders.get(stage))
    if PROMOTING in tags:
        client.delete_registered_model_tag(found.name, PROMOTING)


def _align_alias(found: RegisteredModel, alias: str, version: str | None) -> None:
    named = found.aliases.get(alias)
    if version and version != str(named):
        mlflow.MlflowClient().set_registered_model_alias(found.name, alias, version)
    if named and not version:
        mlflow.MlflowClient().delete_registered_model_alias(found.name, alias)


def _consider(found: ModelVersion, stage: str) -> Promotion:
    """The stage that a version is to be in after somebody wanted it in another, and why."""
    number, now = str(found.version), str(found.current_stage)
    if now == "Production":
        return Promotion(number, now, "is in Production, and none would be left there; promote another or roll back")
    if stage == "Archived":
        return Promotion(number, stage, "asked for")
    against = "is archived" if now == "Archived" else _failure(found)
    if against:
        return Promotion(number, now, against)
    return _judge(found) if stage == "Production" else Promotion(number, stage, "asked for")


def _failure(found: ModelVersion) -> str:
    """How a version failed; empty if it did not."""
    if found.status != "READY":
        return f"was not registered in full, its status is {found.status}"
    run = str(found.run_id)
    status = queries.status_of(run) if queries.exists(run) else ""
    return f"its run {run} ended {status}" if status in ("FAILED", "KILLED") else ""


def _judge(candidate: ModelVersion) -> Promotion:
    from ..statistics import compare  # late, as scipy takes as long as a list of all models

    number, held = str(candidate.version), holder(candidate.name, "Production")
    if held is None:
        return Promotion(number, "Production", "the first version: there was no holder to beat")
    if str(held.version) == number:
        raise UserError(f"{told(candidate)}: is in Production already")
    comparison = compare(artifacts.outcomes(candidate), artifacts.outcomes(held))
    if not comparison.examples:
        return Promotion(number, "Staging", f"has no test example in common with version {held.version}, which stays")
    if comparison.is_better():
        return Promotion(number, "Production", f"beats version {held.version}: {comparison}")
    return Promotion(number, "Staging", f"does not beat version {held.version} by more than chance: {comparison}")


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """As the only writer, on a registry in which nothing is half-done."""
    with alone():
        settle(model(name), versions(name))
        yield


def _move(name: str, promotion: Promotion) -> Promotion:
    client, number, stage = mlflow.MlflowClient(), promotion.version, promotion.stage
    client.set_model_version_tag(name, number, "promotion", promotion.reason)
    why = f"{number} {promotion.reason}" if stage == "Production" else f"None version {number} went to {stage}"
    client.set_registered_model_tag(name, PROMOTING, why)
    _transition(name, number, stage)
    settle(model(name), versions(name))
    return promotion


def _transition(name: str, version: str, stage: str) -> None:
    """One transaction, without MLflow's warning that stages will go: when they do, the aliases are there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Mm]odel registry stages", category=FutureWarning)
        mlflow.MlflowClient().transition_model_version_stage(
            name, version, stage, archive_existing_versions=stage != "Archived"
        )
