"""The sections of the page; each is empty where the store has nothing of its kind."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import plots, tuning
from ..formatting import age, size
from ..plots import pareto_front
from ..registry import Entry
from ..tracking import queries
from ..tracking.queries import Record
from .collect import Contents, Kind, Ranked, is_trial, statuses
from .markup import Links, Markup, folded, joined, table, tag
from .pictures import Pictures
from .wording import moment, name_of, number, score

NEWEST = 10  # versions of a model, and runs in a list
KEPT = ("reconstructions", "samples-of-the-best", "drawings", "readings", "groups", "confusions")
"""Figures that a training may keep, by how much they show; `SHOWN` of those that the best run of a kind has."""
SHOWN = 2
COMPARED = ("comparison", "scores", "training-curves", "samples")
"""Figures of comparisons, all that a run has."""


@dataclass(frozen=True)
class Telling:
    """All that a section is made with.

    Attributes:
        contents: what the store has.
        links: to MLflow's pages.
        pictures: makes those of this page.
        repeat: makes of a run's id the command that repeats it.
    """

    contents: Contents
    links: Links
    pictures: Pictures
    repeat: Callable[[str], str]

    def run(self, record: Record) -> Markup:
        """A link to a run: its name, as long as a line allows, and its id."""
        name = textwrap.shorten(record.name, 40, placeholder="...")
        return self.links.run(record.experiment_id, record.id, f"{name} {record.id[:8]}")


def models(telling: Telling) -> Markup:
    """Versions in a stage and the newest others, and who was in Production when."""
    columns = ("model", "version", "stage", "score on the test split (95 % interval)", "run", "registered", "size")
    by_model: dict[str, list[Entry]] = {}
    for one in telling.contents.versions:
        by_model.setdefault(one.model, []).append(one)
    rows = [
        _version(telling, one)
        for found in by_model.values()
        for place, one in enumerate(found)
        if place < NEWEST or one.stage in ("Staging", "Production")
    ]
    parts = [table(columns, rows)]
    if hidden := len(telling.contents.versions) - len(rows):
        parts.append(tag("p", f"{hidden:,} older versions are left out; make models lists all.", class_="quiet"))
    return joined([*parts, _history(telling)])


def _version(telling: Telling, one: Entry) -> tuple[Any, ...]:
    found = next((record for record in telling.contents.records if record.id == one.run), None)
    return (
        telling.links.model(one.model, one.model),
        telling.links.model(one.model, one.version, one.version),
        tag("b", one.stage) if one.stage == "Production" else one.stage or "none",
        joined([name_of(one.score), " ", score(one.score)]) if one.score else "",
        telling.links.run(found.experiment_id, one.run, one.run[:8]) if found else one.run[:8],
        moment(one.created),
        "" if one.bytes is None else size(one.bytes),
    )


def _history(telling: Telling) -> Markup:
    rows = [
        (name, term.version or "none", moment(term.since), moment(term.until) if term.until else "now", term.reason)
        for name, terms in telling.contents.history.items()
        for term in list(reversed(terms))[:NEWEST]
    ]
    columns = ("model", "version", "in Production from", "until", "because")
    return folded("Who was in Production, when and why", table(columns, rows)) if rows else Markup()


def kind(telling: Telling, found: Kind) -> Markup:
    """The best runs of a kind, how to have each again, how they were trained, and what the best one keeps."""
    trials = sum(map(is_trial, found.runs))
    counted = f"{statuses(found.runs)}{f'; {trials:,} of them are trials of studies' if trials else ''}."
    parts = [tag("h3", found.name), tag("p", counted, class_="quiet")]
    if not found.best:
        return joined([*parts, tag("p", "No run finished with a score.")])
    told = name_of(next((one.score for one in found.best if one.score), None))
    columns = ("", "run", f"{told} on the test split (95 % interval)", f"{found.objective}, best epoch",
               "not the defaults", "took", "began", "registered as", "repeated")  # fmt: skip
    labels = {f"{place}: {one.record.id[:8]}": one.course for place, one in enumerate(found.best, start=1)}
    figure = plots.courses(labels, found.objective)
    return joined([
        *parts,
        table(columns, [_best(telling, place, one) for place, one in enumerate(found.best, start=1)]),
        folded("How to have each again", *(_commands(telling, one.record) for one in found.best)),
        _gallery([
            telling.pictures.drawn(figure, f"{found.name}: {found.objective} of these runs by epoch"),
            *_kept(telling, found.best[0].record, found.name, KEPT, SHOWN),
        ]),
    ])  # fmt: skip


def _best(telling: Telling, place: int, one: Ranked) -> tuple[Any, ...]:
    return (
        place,
        telling.run(one.record),
        score(one.score),
        f"{one.reached:.5g}",
        _fields(one.changed) if one.changed else "none",
        "" if one.record.seconds is None else tag("span", age(one.record.seconds), class_="tight"),
        moment(one.record.began),
        one.version,
        joined((_repeated(telling, other) for other in one.repeats[:3]), ", "),
    )


def _repeated(telling: Telling, record: Record) -> Markup:
    return telling.links.run(record.experiment_id, record.id, record.tags.get("repeat", record.status.lower()))


def _commands(telling: Telling, record: Record) -> Markup:
    recorded = record.tags.get("command", "no command was recorded")
    return joined([tag("p", telling.run(record)), tag("pre", f"{telling.repeat(record.id)}\n{recorded}")])


def _gallery(pictures: Sequence[Markup]) -> Markup:
    """Figures beside one another where the page is wide enough."""
    return tag("div", *pictures, class_="gallery") if any(pictures) else Markup()


def study(telling: Telling, name: str, past: tuning.Past) -> Markup:
    """How the trials of a study ended, the first objective by trial, and the front of several."""
    found = past.trials()
    counted = ", ".join(f"{number:,} {state}" for state, number in found["state"].value_counts().items())
    done = found[found["state"] == "complete"]
    first, direction = next(iter(past.objectives.items()))
    figure = plots.trials(
        found["trial"].tolist(), found[first].astype(float).tolist(), found["state"].tolist(), first, direction
    )
    pictures = [telling.pictures.drawn(figure, f"Study {name}: {first} by trial")]
    if len(past.objectives) > 1 and len(done):
        places = {place: str(number) for place, number in enumerate(done["trial"]) if number in past.front()}
        values = {objective: done[objective].astype(float).tolist() for objective in past.objectives}
        pictures.append(telling.pictures.drawn(pareto_front(values, places), f"Study {name}: what no trial beats"))
    return joined([
        tag("h3", name),
        tag("p", f"{len(found):,} trials: {counted}. {_aim(past)}.", class_="quiet"),
        table(("trial", *past.objectives, "params"), _leaders(past, done)),
        _gallery(pictures),
    ])  # fmt: skip


def _aim(past: tuning.Past) -> str:
    return "It was to " + " and ".join(f"{direction} {name}" for name, direction in past.objectives.items())


def _leaders(past: tuning.Past, done: Any) -> list[tuple[Any, ...]]:
    """The trials that no other beats, the best of the first objective on top."""
    first, direction = next(iter(past.objectives.items()))
    leaders = done[done["trial"].isin(past.front())].sort_values(first, ascending=direction == "minimize")
    return [
        (row["trial"], *(f"{row[name]:.5g}" for name in past.objectives), _fields({p: row[p] for p in past.params}))
        for row in leaders.head(NEWEST).to_dict("records")
    ]


def _fields(values: Mapping[str, Any]) -> Markup:
    told = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in values.items()}
    spans = (tag("span", f"{name}={value}", class_="field") for name, value in told.items())
    return tag("div", joined(spans, " "), class_="fields")


def comparison(telling: Telling, record: Record) -> Markup:
    """A comparison's tables and figures, as its run keeps them."""
    title = record.tags.get("comparison", record.name)
    return joined([
        tag("h3", title),
        tag("p", f"{record.status.lower()}, ", moment(record.began), ", run ", telling.run(record), class_="quiet"),
        *(_table(name, columns) for name, columns in queries.tables(record.id).items()),
        _gallery(_kept(telling, record, title, COMPARED, len(COMPARED))),
        folded("How to have it again", tag("pre", record.tags.get("command", "no command was recorded"))),
    ])  # fmt: skip


def _table(name: str, kept: Mapping[str, Any]) -> Markup:
    rows = [[number(cell) for cell in row] for row in kept["data"][:100]]
    return table([column.replace("_", " ") for column in kept["columns"]], rows, caption=name)


def _kept(telling: Telling, record: Record, title: str, names: Sequence[str], count: int) -> list[Markup]:
    """So many of these figures, of those that a run keeps."""
    has = queries.figures(record.id)
    some = [name for name in names if name in has][:count]
    told = f"{title}, run {record.id[:8]}"
    return [telling.pictures.kept(record.id, name, f"{told}: {name.replace('-', ' ')}") for name in some]


def repeats(telling: Telling) -> Markup:
    """Runs that repeated others, and whether the same came out."""
    by_id = {record.id: record for record in telling.contents.records}
    found = [record for record in telling.contents.records if "repeats" in record.tags]
    rows = [
        (telling.run(one), telling.run(by_id[old]) if old in by_id else old[:8], moment(one.began),
         one.tags.get("repeat.told", one.status.lower()))
        for one in found[:NEWEST]
        for old in [one.tags["repeats"]]
    ]  # fmt: skip
    return table(("run", "repeats", "began", "what came of it"), rows)


def unfinished(telling: Telling) -> Markup:
    """The newest runs that failed or were killed, and why."""
    found = telling.contents.unfinished
    rows = [
        (telling.run(one), one.experiment, one.status.lower(), moment(one.began), one.tags.get("reason", ""))
        for one in found[:NEWEST]
    ]
    more = f"{len(found) - len(rows):,} older ones are left out." if len(found) > len(rows) else ""
    hidden = [tag("p", more, class_="quiet")] if more else []
    return joined([table(("run", "experiment", "ended", "began", "reason"), rows), *hidden])
