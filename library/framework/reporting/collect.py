"""What is to be told of a store: its models, its best runs, its studies and comparisons, from a few queries."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import discovery, registry, tuning
from ..errors import UserError
from ..experiment import Experiment
from ..registry import Entry, Term
from ..statistics import Score, of_tags
from ..tracking import queries
from ..tracking.queries import Record
from ..tracking.store import Store

STATUSES = ("FINISHED", "RUNNING", "FAILED", "KILLED", "SCHEDULED")
BEST = 5  # runs that are shown of each model
LOOKED_AT = 50  # the best by their last epoch; only of these is every epoch read, as that takes milliseconds each


@dataclass(frozen=True)
class Ranked:
    """A run among the best of its kind.

    Attributes:
        record: the run.
        score: on the test split, with its 95 % interval where that is known.
        course: of the experiment's first objective, by epoch.
        reached: the best of it.
        changed: the fields of its config that are not the defaults.
        version: what it registered, as in `version 3, Production`; empty for nothing.
        repeats: runs that repeated it.
    """

    record: Record
    score: Score | None
    course: Mapping[int, float]
    reached: float
    changed: Mapping[str, str]
    version: str
    repeats: Sequence[Record]


@dataclass(frozen=True)
class Kind:
    """All runs that train what one name in the registry stands for.

    Attributes:
        name: that name; of runs whose config can no longer be read, the experiment's.
        objective: the metric that tells the best ones.
        runs: all of them.
        best: the best of those that were scored on the test split; if there are none, of all that finished.
    """

    name: str
    objective: str
    runs: Sequence[Record]
    best: Sequence[Ranked]


@dataclass(frozen=True)
class Contents:
    """A store, as its page tells it.

    Attributes:
        records: all runs, newest first.
        versions: all registered versions, models by name, newest first.
        history: of each model, who was in Production, oldest first.
        kinds: of runs, by name.
        studies: by name.
        comparisons: the newest run of each.
        unfinished: runs that failed or were killed, newest first, but for pruned trials and the like.
    """

    records: Sequence[Record]
    versions: Sequence[Entry]
    history: Mapping[str, Sequence[Term]]
    kinds: Sequence[Kind]
    studies: Mapping[str, tuning.Past]
    comparisons: Sequence[Record]
    unfinished: Sequence[Record]


def read(store: Store) -> Contents:
    """All of a store that is open."""
    found, versions = queries.everything(), registry.overview()
    comparisons = {one.tags.get("comparison", one.name): one for one in reversed(found) if _is_comparison(one)}
    return Contents(
        records=found,
        versions=versions,
        history={name: registry.history(name) for name in sorted({one.model for one in versions})},
        kinds=_kinds(found, versions),
        studies=tuning.studies_of(store),
        comparisons=[one for one in found if one in comparisons.values()],
        unfinished=[one for one in found if one.status in ("FAILED", "KILLED") and "trial" not in one.tags],
    )


def statuses(found: Sequence[Record]) -> str:
    """How many runs ended how, as in `3 finished, 1 failed`."""
    counted = Counter(one.status for one in found)
    return ", ".join(f"{counted[status]:,} {status.lower()}" for status in STATUSES if counted[status])


def is_trial(record: Record) -> bool:
    """Whether it is a trial of a study, not its winner, which was trained in full."""
    return "trial" in record.tags and not any(metric.startswith("test/") for metric in record.metrics)


def _is_comparison(record: Record) -> bool:
    return "comparison" in record.tags or ("models" in record.tags and not record.params)


def _kinds(found: Sequence[Record], versions: Sequence[Entry]) -> list[Kind]:
    """Trainings by what they train and what tells the best of them; without those of experiments that are gone."""
    names, grouped = set(discovery.names()), defaultdict(list)
    for record in found:
        if record.params and record.experiment in names:
            grouped[_kind(record), record.experiment].append(record)
    return [
        _ranked(name, objective, discovery.find(experiment), runs, found, versions)
        for ((name, *objective), experiment), runs in sorted(grouped.items())
    ]


def _kind(record: Record) -> tuple[str, str, str]:
    """The name of what a run trains, and the experiment's first objective with its direction."""
    experiment = discovery.find(record.experiment)
    try:
        config = experiment.recorded(record.params)
        name = experiment.model_name(config)
    except UserError:
        config, name = experiment.config(), record.tags.get("model", record.experiment)
    return name, *next(iter(experiment.settled(config).objectives.items()))


def _ranked(
    name: str,
    objective: Sequence[str],
    experiment: Experiment[Any],
    runs: Sequence[Record],
    found: Sequence[Record],
    versions: Sequence[Entry],
) -> Kind:
    metric, direction = objective
    more = direction == "maximize"
    last = sorted(_comparable(runs, metric), key=lambda one: one.metrics[metric], reverse=more)
    courses = {one.id: queries.course(one.id, metric) for one in last[:LOOKED_AT]}
    reached = {run: (max if more else min)(course.values()) for run, course in courses.items()}
    order = sorted(reached, key=lambda run: reached[run], reverse=more)
    by_id, of_run = {one.id: one for one in runs}, {one.run: one for one in versions if one.model == name}
    score = next((one.score.name for one in of_run.values() if one.score), "")
    best = [
        Ranked(
            record=by_id[run],
            score=of_run[run].score if run in of_run else _score(by_id[run].metrics, score),
            course=courses[run],
            reached=reached[run],
            changed=_changed(by_id[run], experiment),
            version=_version(of_run.get(run)),
            repeats=[other for other in found if other.tags.get("repeats") == run],
        )
        for run in order[:BEST]
    ]
    return Kind(name, metric, runs, best)


def _comparable(runs: Sequence[Record], metric: str) -> list[Record]:
    """Those to choose the best from: scored on the test split; if there are none, all that finished with a score."""
    finished = [one for one in runs if one.status == "FINISHED" and metric in one.metrics]
    originals = [one for one in finished if "repeats" not in one.tags]
    return [one for one in originals if not is_trial(one)] or originals


def _score(metrics: Mapping[str, float], name: str) -> Score | None:
    """The score of a run that registered nothing: that of its kind, or the first one that has an interval."""
    if not name:
        return of_tags({key: repr(value) for key, value in metrics.items() if key.startswith("test/")})
    if name not in metrics:
        return None
    low, high = queries.interval(metrics, name) or (None, None)
    return Score(name, metrics[name], low, high)


def _changed(record: Record, experiment: Experiment[Any]) -> dict[str, str]:
    """The recorded fields that differ from today's defaults."""
    defaults = experiment.config().model_dump()
    recorded = {name: record.params[name] for name in defaults if name in record.params}
    return {name: value for name, value in recorded.items() if value != str(defaults[name])}


def _version(entry: Entry | None) -> str:
    return "" if entry is None else f"version {entry.version}, {entry.stage or 'no stage'}"
