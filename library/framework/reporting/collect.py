"""What a report shows: models, best runs, studies, comparisons and failures, from a few queries.

Plain data only; `html` draws the figures and `report.html.j2` says how everything looks.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .. import discovery
from ..errors import StoreError, UserError
from ..objectives import Direction, Objectives
from ..registry.history import ProductionPeriod
from ..registry.overview import VersionRecord, overview, production_history
from ..statistics import Estimate, estimates
from ..tracking import queries
from ..tracking.queries import MetricHistory, RunRecord
from ..tracking.store import Store
from ..tuning.results import stored_studies

STATUSES = ("finished", "running", "pruned", "failed", "killed", "scheduled")
MAX_ROWS = 10  # of versions, periods in Production, trials and runs in a list
MAX_TABLE_ROWS = 100  # of a table that a comparison stored
MAX_BEST_RUNS = 5
MAX_CANDIDATES = 50  # the best by their last epoch; reading a whole history takes milliseconds for each run
MAX_RUN_FIGURES = 3
MAX_COMPARISON_FIGURES = 6
FIGURE_ORDER = (
    "comparison", "scores", "reconstructions", "samples-of-the-best", "drawings", "readings", "groups", "confusions",
    "samples",
)  # fmt: skip
"""Figures that summarize a run best; any other comes after them. The third is that of the training's curves."""


@dataclass(frozen=True)
class RankedRun:
    """One of the best runs of a model, with the version that it registered and the runs that repeated it.

    Attributes:
        score: on the test split, with its 95 % interval where that is known.
        history: values of the experiment's first objective by epoch; `best_value` is the best of them.
        overrides: fields of its config that differ from today's defaults.
    """

    record: RunRecord
    score: Estimate | None
    history: MetricHistory
    best_value: float
    overrides: Mapping[str, str]
    version: VersionRecord | None
    repeats: Sequence[RunRecord]


@dataclass(frozen=True)
class ModelRuns:
    """All runs that train one registered model.

    Attributes:
        name: of the model; the experiment's name for runs whose config is no longer valid.
        objectives: the metric that ranks the runs, and its direction.
        best: the best of those with a score on the test split; without any, the best of all finished runs.
        figures: names of stored figures of the best run.
    """

    name: str
    objectives: Objectives
    runs: Sequence[RunRecord]
    best: Sequence[RankedRun]
    figures: Sequence[str]


@dataclass(frozen=True)
class StudySummary:
    """A study: its name, its own run unless that was deleted, its objectives and its finished trials.

    A trial has `trial` (its number), `state`, `params`, `on_front` (whether it is on the Pareto front) and a value for
    each objective, nan where there is none.
    """

    name: str
    run: RunRecord | None
    objectives: Objectives
    trials: Sequence[Mapping[str, Any]]

    @property
    def completed(self) -> list[Mapping[str, Any]]:
        """The trials that have all values."""
        return [trial for trial in self.trials if trial["state"] == "complete"]

    @property
    def best(self) -> list[Mapping[str, Any]]:
        """The trials on the Pareto front, the best in the first objective first."""
        first, direction = next(iter(self.objectives.items()))
        front = (trial for trial in self.completed if trial["on_front"])
        return sorted(front, key=lambda trial: trial[first], reverse=direction == "maximize")[:MAX_ROWS]


@dataclass(frozen=True)
class ComparisonSummary:
    """The newest run of a comparison: its title, its tables (`columns` and rows of `data`) and its figures' names."""

    title: str
    run: RunRecord
    tables: Mapping[str, Mapping[str, Any]]
    figures: Sequence[str]


@dataclass(frozen=True)
class Contents:
    """All that a report shows, newest first.

    Of versions those in a stage and the newest others are shown; what is unfinished failed or was killed. Studies are
    left out where they cannot be read: `studies_error` says why.
    """

    records: Sequence[RunRecord] = ()
    versions: Sequence[VersionRecord] = ()
    older_versions: int = 0
    periods: Sequence[tuple[str, ProductionPeriod]] = ()
    models: Sequence[ModelRuns] = ()
    studies: Sequence[StudySummary] = ()
    studies_error: str = ""
    comparisons: Sequence[ComparisonSummary] = ()
    repeats: Sequence[RunRecord] = ()
    unfinished: Sequence[RunRecord] = ()


def read(store: Store) -> Contents:
    """The contents of an open store."""
    records, versions = queries.all_runs(), overview()
    shown = [
        one
        for _, of_model in groupby(versions, key=lambda one: one.model)
        for place, one in enumerate(of_model)
        if place < MAX_ROWS or one.stage in ("Staging", "Production")
    ]
    names = dict.fromkeys(one.model for one in versions)
    studies, studies_error = list[StudySummary](), ""
    try:
        studies = _studies(store, records)
    except StoreError as error:  # of another Optuna; runs and models can be shown without it
        studies_error = str(error)
    return Contents(
        records=records,
        versions=shown,
        older_versions=len(versions) - len(shown),
        periods=[(name, period) for name in names for period in reversed(production_history(name)[-MAX_ROWS:])],
        models=_model_runs(records, versions),
        studies=studies,
        studies_error=studies_error,
        comparisons=_comparisons(records),
        repeats=[one for one in records if "repeats" in one.tags],
        unfinished=[one for one in records if status(one) in ("failed", "killed") and not is_trial(one)],
    )


def is_trial(record: RunRecord) -> bool:
    """Whether a run is a trial of a study; the winner, trained in full after the trials, is none."""
    return "trial" in record.tags and "study.run" not in record.tags


def status(record: RunRecord) -> str:
    """How a run ended; MLflow has no status for a pruned trial and calls it killed."""
    if record.status == "KILLED" and is_trial(record) and record.tags.get("reason") != "interrupted":
        return "pruned"
    return record.status.lower()


def status_counts(records: Sequence[RunRecord]) -> str:
    """How many runs ended in each way, as in `3 finished, 1 failed`."""
    counts = Counter(map(status, records))
    return ", ".join(f"{counts[one]:,} {one}" for one in STATUSES if counts[one])


def _model_runs(records: Sequence[RunRecord], versions: Sequence[VersionRecord]) -> list[ModelRuns]:
    """Runs by the model that they train and the metric that ranks them; no runs of experiments that are gone."""
    experiments, groups, repeats = set(discovery.names()), defaultdict(list), defaultdict(list)
    for record in records:
        repeats[record.tags.get("repeats")].append(record)
        if record.params and record.experiment in experiments:
            groups[_trained_model(record), record.experiment].append(record)
    found = []
    for ((name, metric, direction), experiment), runs in sorted(groups.items()):
        registered = {one.run: one for one in versions if one.model == name}
        score = next((one.score.name for one in registered.values() if one.score), "")
        defaults = discovery.find(experiment)().config.model_dump()
        best = [
            RankedRun(
                record=run,
                score=registered[run.id].score if run.id in registered else _score(run.metrics, score),
                history=history,
                best_value=value,
                overrides={key: run.params[key] for key, default in defaults.items()
                           if run.params.get(key, str(default)) != str(default)},
                version=registered.get(run.id),
                repeats=repeats[run.id],
            )
            for value, history, run in _ranked(runs, metric, maximize=direction == "maximize")
        ]  # fmt: skip
        figures = _figures(best[0].record.id)[:MAX_RUN_FIGURES] if best else []
        found.append(ModelRuns(name, {metric: direction}, runs, best, figures))
    return found


def _trained_model(record: RunRecord) -> tuple[str, str, Direction]:
    """The name of the model that a run trains, the experiment's first objective and its direction."""
    kind = discovery.find(record.experiment)
    try:
        experiment = kind.from_params(record.params)
        name = experiment.model_name
    except UserError:
        experiment, name = kind(), record.tags.get("model", record.experiment)
    return name, *next(iter(experiment.resolved_objectives.items()))


def _ranked(runs: Sequence[RunRecord], metric: str, *, maximize: bool) -> list[tuple[float, MetricHistory, RunRecord]]:
    """The best runs by the best epoch, each with that value and all values: runs in full, without any also trials."""
    finished = [one for one in runs if one.status == "FINISHED" and metric in one.metrics and "repeats" not in one.tags]
    comparable = [one for one in finished if not is_trial(one)] or finished
    candidates = sorted(comparable, key=lambda one: one.metrics[metric], reverse=maximize)[:MAX_CANDIDATES]
    histories = [queries.metric_history(one.id, metric) for one in candidates]
    values = [(max if maximize else min)(history.values()) for history in histories]
    ranked = sorted(zip(values, histories, candidates, strict=True), key=lambda one: one[0], reverse=maximize)
    return ranked[:MAX_BEST_RUNS]


def _score(metrics: Mapping[str, float], name: str) -> Estimate | None:
    """The score of an unregistered run: the metric that registered ones are known by, else the one with an interval."""
    if name:
        return Estimate.of(metrics, name) if name in metrics else None
    tested = estimates({key: value for key, value in metrics.items() if key.startswith("test/")})
    bounded = [one for one in tested if one.low is not None]
    return bounded[0] if len(bounded) == 1 else None


def _figures(run_id: str) -> list[str]:
    """The names of a run's figures in the order in which they are shown."""
    curves, names = "training-curves", queries.figure_names(run_id)
    known = [name for name in FIGURE_ORDER if name in names]
    ordered = [*known, *(name for name in names if name not in {*known, curves})]
    return [*ordered[:2], *({curves} & set(names)), *ordered[2:]]


def _studies(store: Store, records: Sequence[RunRecord]) -> list[StudySummary]:
    runs, found = {one.id: one for one in records}, []
    for name, results in stored_studies(store).items():
        front, trials = set(results.front()), results.trials().to_dict("records")
        for row in trials:
            # The table holds nan, which equals nothing, where the search space did not ask for a parameter.
            row["params"] = {key: row[key] for key in results.params if row[key] == row[key]}
            row["on_front"] = row["trial"] in front
        run = runs.get(results.study.user_attrs.get("run", ""))
        found.append(StudySummary(name, run, results.objectives, trials))
    return found


def _comparisons(records: Sequence[RunRecord]) -> list[ComparisonSummary]:
    newest: dict[str, RunRecord] = {}
    for record in records:
        if "comparison" in record.tags or ("models" in record.tags and not record.params):
            newest.setdefault(record.tags.get("comparison", record.name), record)
    return [
        ComparisonSummary(title, run, queries.read_tables(run.id), _figures(run.id)[:MAX_COMPARISON_FIGURES])
        for title, run in newest.items()
    ]
