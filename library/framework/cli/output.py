"""What a command leaves on the terminal: a table of what came of it and the commands to go on with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from ..comparison.grid import Compared
from ..formatting import age, size
from ..pipeline import Outcome
from ..registry import Entry, Promotion, Term
from ..reproduction.metric_diff import Verdict
from ..reproduction.rerun import Plan
from ..tracking.store import Store
from ..tuning import Tuned, counted


def trained(outcome: Outcome, store: Store) -> None:
    """A model's scores, version and stage."""
    _print("A model", _model_rows(outcome), outcome, store)


def tuned(done: Tuned, store: Store) -> None:
    """A study's trials and its winner's scores, version and stage."""
    trials = counted(done.study)
    states = Counter(trial.state.name.lower() for trial in trials)
    rows = [
        ("trials", f"{len(trials)}: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))),
        ("best trial", f"{done.best.number}: " + ", ".join(map(_number, done.best.values))),
        *((f"  {name}", _number(value)) for name, value in done.best.params.items()),
    ]
    if len(done.front["trial"]) > 1:
        _print_front(done.front)
    _print(f"Study {done.study.study_name}", rows + _model_rows(done.outcome), done.outcome, store)


def compared(done: Compared) -> None:
    """A row for each config, and one for each two that were asked the same, as Markdown, to be copied."""
    rows = done.rows
    line, axis = list(rows[0])[:2]
    print(f"| {line} | {axis} | exact match (95 % interval) | each seed | per character | parameters | training |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        seeds = ", ".join(f"{seed:.4f}" for seed in row["seeds"])
        scores = (
            f"{row['exact_match']:.4f} ({row['low']:.4f} to {row['high']:.4f}) | {seeds} | {row['per_character']:.4f}"
        )
        print(f"| {row[line]} | {row[axis]} | {scores} | {row['parameters']:,.0f} | {row['seconds']:.0f} s |")
    if done.pairs:
        print("\nOn the same queries\n")
        print(f"| {axis} | first | second | asked | both right | only first | only second | none | p |")
        print("|---|---|---|---|---|---|---|---|---|")
    for pair in done.pairs:
        counts = " | ".join(f"{pair[key]:,}" for key in ("queries", "both", "only_first", "only_second", "neither"))
        print(f"| {pair[axis]} | {pair['first']} | {pair['second']} | {counts} | {pair['p_value']:.2g} |")


def measured(rows: Sequence[Mapping[str, Any]]) -> None:
    """A column for each training of the defaults and of a baseline, as Markdown, to be copied.

    Of one seed, the last column is what of the baseline's score the defaults have.
    """
    first, second = rows[:2]
    alone = len(rows) == 2
    named = [f"{row['config']}, seed {row['seed']}" for row in rows]
    print(f"| | {' | '.join(named + ['default / baseline'] * alone)} |")
    print("|---" * (1 + len(rows) + alone) + "|")
    for name in list(first)[2:]:
        if "_standard_error" not in name:
            ratio = f"{first[name] / second[name]:.3f}" if second[name] else "-"
            print(f"| {name} | {' | '.join([_estimate(row, name) for row in rows] + [ratio] * alone)} |")


def planned(plan: Plan, differences: Mapping[str, tuple[str, str]]) -> None:
    """What is about to be repeated, and what differs from then."""
    record = plan.record
    print(f"Repeating run {record.id}, {record.name!r} of {record.experiment}, of {record.began:%Y-%m-%d %H:%M} UTC")
    for remark in plan.remarks:
        print(f"  {remark}")
    print(f"  data: the same, digest {record.tags.get('data.digest', 'not recorded')}")
    changed = {name: pair for name, pair in differences.items() if pair[0] != pair[1]}
    for name, (then, now) in changed.items():
        print(f"  {name}: {then} then, {now} now")
    if differences.keys() - changed.keys():
        print("  git.dirty: changed beyond its commit, then as now; whether alike is not recorded")
    if not differences:
        print("  commit, versions, machine and threads: the same")
    print("Training", flush=True)


def repeated(run: str, verdict: Verdict) -> None:
    """Metric by metric whether it came out the same, and all in all."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("metric", "values", "came out"):
        table.add_column(column)
    for one in verdict.metrics:
        table.add_row(one.metric, str(one.values), str(one))
    Console(highlight=False, markup=False, width=1000).print(table)
    print(f"Run {run}: {verdict}; times and the machine's own metrics are not compared")


def _estimate(row: Mapping[str, Any], name: str) -> str:
    """A value with its standard error, where that is among the others."""
    errors = [row[other] for other in row if other != name and other.replace("_standard_error", "") == name]
    return " ± ".join(f"{value:,.0f}" if value >= 1000 else f"{value:.4g}" for value in [row[name], *errors])


def _model_rows(outcome: Outcome) -> list[tuple[str, str]]:
    whole = {name: value for name, value in outcome.metrics.items() if name.count("/") == 1}  # parts are in the run
    return [
        *((name, _number(value)) for name, value in whole.items()),
        ("registered", f"{outcome.model} version {outcome.version}, {outcome.stage}"),
        ("because", outcome.reason),
    ]


def _print_front(front: Mapping[str, Sequence[Any]]) -> None:
    table = Table(title="Trials that no other beats in all objectives", title_justify="left", pad_edge=False)
    for column in front:
        table.add_column(column)
    for row in zip(*front.values(), strict=True):
        table.add_row(*map(_number, row))
    Console(highlight=False, markup=False, soft_wrap=True).print(table)


def _print(title: str, rows: Sequence[tuple[str, str]], outcome: Outcome, store: Store) -> None:
    table = Table(title=title, title_justify="left", show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    here = store.variable
    console.print(
        f"""
Go on with
  {outcome.predict}{here}
  make ui{here}           browse runs and models; this run is {outcome.run}
  make dashboard{here}    browse studies

Elsewhere in Python
  mlflow.set_tracking_uri("{store.tracking_uri}")
  mlflow.pyfunc.load_model("models:/{outcome.model}/{outcome.stage}").predict({outcome.example})"""
    )


def _number(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def models(entries: Sequence[Entry]) -> None:
    """Every version of every model."""
    if not entries:
        print("no model is registered yet; train or tune one first")
        return
    now = datetime.now(UTC)
    rows = [
        (
            entry.model,
            entry.version,
            entry.stage or "-",
            str(entry.score or "-"),
            entry.run or "-",
            age((now - entry.created).total_seconds()),
            "-" if entry.bytes is None else size(entry.bytes),
        )
        for entry in entries
    ]
    _print_columns(("model", "version", "stage", "score (95 % interval)", "run", "age", "size"), rows)


def history(name: str, past: Sequence[Term]) -> None:
    """Who was in Production, the present one first."""
    if not past:
        print(f"no version of {name} was in Production yet")
        return
    rows = [
        (term.version or "none", _moment(term.since), _moment(term.until) if term.until else "now", term.reason)
        for term in reversed(past)
    ]
    _print_columns(("version", "in Production from", "until", "because"), rows)


def moved(name: str, promotion: Promotion) -> None:
    """Where a version went."""
    print(f"{name} version {promotion.version} is in {promotion.stage}: {promotion.reason}")


def _moment(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _print_columns(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Plain columns, as wide as what is in them: nothing is cut off, on a terminal or in a pipe."""
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False, width=1000).print(table)
