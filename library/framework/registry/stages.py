"""Which version is in which stage, one writer at a time.

The native stage is the truth, and all else follows it. MLflow moves a version into a stage and those that were there
out of it in one transaction, so whoever loads by stage finds one version at every moment. But two such transactions at
once would each miss the other's version and leave two: hence the lock in the store, which a process's death releases.
The alias and the history are written after the stage. Until then the alias names the version that was there before,
which loads as well; if the writer dies in between, the next one to take the lock completes that first (`reconcile`),
with the reason that was left in the tag `promoting` before the stage was touched.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from ..config import STAGES
from ..environment import option
from ..errors import UserError
from ..statistics import compare_examples
from ..tracking import queries
from . import artifacts, history
from .queries import check_stage, describe, model, version_in, version_of, versions, write_lock

MAX_ATTEMPTS = 5
"""To reconcile a model that another hand is changing."""


@dataclass(frozen=True)
class Promotion:
    """The stage that a version was moved to, and the reason."""

    version: str
    stage: str
    reason: str


def promote_if_better(name: str, version: str) -> Promotion:
    """Moves a version to Production if it beats the champion by more than chance, else to Staging.

    They are compared on the test examples that both were scored on, by `statistics.compare_examples`. The reason
    becomes the version's tag `promotion`.
    """
    with _writing(name):
        return _move(name, _compare_with_champion(version_of(name, version)))


def set_stage(name: str, version: str, stage: str = "Production", *, force: bool = False) -> Promotion:
    """Moves a version to a stage by hand, unless there is a reason against it.

    Reasons are: it is archived, other than by a rollback, or its run failed; it would go to Production and
    `promote_if_better` would not move it there; it would leave Production, with no other version to load.

    Force moves it regardless; never to Staging or Production if its files are not those that were registered.

    Raises:
        NotRegistered: there is no such model or version.
        UserError: there is no such stage, the version is in it already, or it is refused; says why.
    """
    stage = check_stage(stage)
    with _writing(name):
        found = version_of(name, version)
        if found.current_stage == stage:
            raise UserError(f"{describe(found)}: is in {stage} already")
        promotion = Promotion(version, stage, "forced") if force else _consider(found, stage)
        if promotion.stage != stage:
            raise UserError(f"{describe(found)}: {promotion.reason}; {option(force=1)} does it regardless")
        if stage != "Archived":
            artifacts.verify(found)
        return _move(name, promotion)


def rollback(name: str) -> Promotion:
    """Brings back the version that was in Production before, of those that still are; once more goes further back.

    NotRegistered without such a model; UserError without a version before, or where its files are not those registered.
    """
    with _writing(name):
        held, there = version_in(name, "Production"), {str(version.version): version for version in versions(name)}
        now = str(held.version) if held else "none"
        line = history.lineage(history.periods(model(name).tags))
        before = next((number for number in reversed(line) if number != now and number in there), None)
        if before is None:
            raise UserError(f"model {name!r}: no other version was in Production before; nothing to go back to")
        artifacts.verify(there[before])
        return _move(name, Promotion(before, "Production", f"{history.ROLLED_BACK} from {now}"))


def reconcile(found: RegisteredModel, its_versions: Sequence[ModelVersion]) -> None:
    """Makes aliases and history follow the stages of its versions, newest first; to be called under `write_lock`.

    MLflow's pages know no lock: what they change at the same moment fails a write, and is read again.
    """
    for attempt in range(MAX_ATTEMPTS):
        try:
            _reconcile(found, its_versions)
            return
        except MlflowException:
            if attempt + 1 == MAX_ATTEMPTS:
                raise
            found, its_versions = model(found.name), versions(found.name)


def _reconcile(found: RegisteredModel, its_versions: Sequence[ModelVersion]) -> None:
    client, tags = mlflow.MlflowClient(), found.tags
    by_stage = {str(one.current_stage): str(one.version) for one in reversed(its_versions)}
    for one in its_versions:
        if one.current_stage in ("Staging", "Production") and str(one.version) != by_stage[one.current_stage]:
            # MLflow's own pages can leave two: the newest is the one that its loader takes.
            _transition(found.name, str(one.version), "Archived")
            by_stage["Archived"] = max(str(one.version), by_stage.get("Archived", "0"), key=int)
    past, now, there = history.periods(tags), by_stage.get("Production"), {str(one.version) for one in its_versions}
    if (moved := history.moved_to(tags, found.aliases, now)) in there:
        client.set_registered_model_tag(
            found.name, history.PROMOTING, f"{moved} its alias production was moved by other means"
        )
        _transition(found.name, str(moved), "Production")
        _reconcile(model(found.name), versions(found.name))
        return
    if now != (past[-1].version if past else None):
        number, _, reason = tags.get(history.PROMOTING, "").partition(" ")
        is_deleted = now is None and past[-1].version not in there
        unknown = f"version {past[-1].version} was deleted" if is_deleted else history.UNKNOWN
        key, value = history.entry(tags, now, reason if number == str(now) else unknown)
        client.set_registered_model_tag(found.name, key, value)
    _tag_runs(found, its_versions, by_stage)
    for stage in STAGES:
        alias, version = stage.lower(), by_stage.get(stage)
        named = found.aliases.get(alias)
        if version and version != str(named):
            client.set_registered_model_alias(found.name, alias, version)
        if named and not version:
            client.delete_registered_model_alias(found.name, alias)
    if history.PROMOTING in tags:
        client.delete_registered_model_tag(found.name, history.PROMOTING)


def _tag_runs(found: RegisteredModel, its_versions: Sequence[ModelVersion], by_stage: Mapping[str, str]) -> None:
    """Makes the tag `stage` of runs follow where aliases, which follow next, tell that a version was moved."""
    both = [(str(found.aliases.get(stage.lower())), str(by_stage.get(stage))) for stage in STAGES]
    moved = {number for before, now in both if before != now for number in (before, now)}
    for one in its_versions:
        number, stage, run = str(one.version), str(one.current_stage), str(one.run_id)
        if number not in moved or not queries.exists(run):
            continue
        if queries.read_run(run).tags.get("version") == number:
            is_left = stage in ("Staging", "Production") and by_stage[stage] != number
            mlflow.MlflowClient().set_tag(run, "stage", "Archived" if is_left else stage)


def _consider(found: ModelVersion, stage: str) -> Promotion:
    """The stage that a version is to be in after a request to move it, and why."""
    number, now = str(found.version), str(found.current_stage)
    if now == "Production":
        return Promotion(number, now, "is in Production, and none would be left there; promote another or roll back")
    if stage == "Archived":
        return Promotion(number, stage, "asked for")
    is_rolled_back = number in history.rolled_back(history.periods(model(found.name).tags))
    if now == "Archived" and not is_rolled_back:
        return Promotion(number, now, "is archived")
    if found.status != "READY":
        return Promotion(number, now, f"was not registered in full, its status is {found.status}")
    run = str(found.run_id)
    status = queries.read_run(run).status if queries.exists(run) else ""
    if status in ("FAILED", "KILLED"):
        return Promotion(number, now, f"its run {run} ended {status}")
    if stage != "Production":
        return Promotion(number, stage, "asked for")
    compared = _compare_with_champion(found)
    again = is_rolled_back and compared.stage == "Production"
    return replace(compared, reason=f"back after a rollback: {compared.reason}") if again else compared


def _compare_with_champion(candidate: ModelVersion) -> Promotion:
    number, champion = str(candidate.version), version_in(candidate.name, "Production")
    if champion is None:
        return Promotion(number, "Production", "the first version: there was no champion to beat")
    if str(champion.version) == number:
        raise UserError(f"{describe(candidate)}: is in Production already")
    own, theirs = (artifacts.per_example_scores(str(one.run_id)) for one in (candidate, champion))
    comparison = compare_examples(own, theirs)
    other = f"version {champion.version}"
    if not comparison.examples:
        return Promotion(number, "Staging", f"has no test example in common with {other}, which stays")
    if comparison.is_better():
        return Promotion(number, "Production", f"beats {other}: {comparison}")
    return Promotion(number, "Staging", f"does not beat {other} by more than chance: {comparison}")


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """As the only writer, on a registry in which no earlier move is incomplete."""
    with write_lock():
        reconcile(model(name), versions(name))
        yield


def _move(name: str, promotion: Promotion) -> Promotion:
    client, number, stage = mlflow.MlflowClient(), promotion.version, promotion.stage
    client.set_model_version_tag(name, number, "promotion", promotion.reason)
    why = f"{number} {promotion.reason}" if stage == "Production" else f"None version {number} went to {stage}"
    client.set_registered_model_tag(name, history.PROMOTING, why)
    _transition(name, number, stage)
    reconcile(model(name), versions(name))
    return promotion


def _transition(name: str, version: str, stage: str) -> None:
    """One transaction, without MLflow's warning that stages will go: when they do, the aliases are there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Mm]odel registry stages", category=FutureWarning)
        mlflow.MlflowClient().transition_model_version_stage(
            name, version, stage, archive_existing_versions=stage != "Archived"
        )
