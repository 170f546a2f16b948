"""What commands print: tables of results, and the commands to run next.

Types are imported for mypy alone: a list of models must not wait for what only trainings need.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ..environment import command
from ..formatting import age, number, size

MIN_TEXT_WIDTH = 20
"""Characters below which text would be a word a line."""

if TYPE_CHECKING:
    from ..pipeline import Outcome
    from ..registry.history import ProductionPeriod
    from ..registry.overview import VersionRecord
    from ..registry.stages import Promotion
    from ..reproduction.metric_diff import RunDiff
    from ..reproduction.rerun import Plan as Repetition
    from ..statistics import Estimate
    from ..tracking.deletion import Plan
    from ..tracking.queries import RunRecord
    from ..tracking.store import Store
    from ..tuning.moving import Comparison
    from ..tuning.study import Tuned


def print_trained(outcome: "Outcome", store: "Store") -> None:
    """A model's scores, version and stage."""
    _print_result(f"Training of {outcome.experiment}", _model_rows(outcome), outcome, store)


def print_tuned(tuned: "Tuned", store: "Store") -> None:
    """A study's trials and its winner's scores, version and stage."""
    from ..tuning.trials import finished_trials

    trials, front = finished_trials(tuned.study), tuned.front
    states = Counter(trial.state.name.lower() for trial in trials)
    rows = [
        ("trials", f"{len(trials)}: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))),
        ("best trial", f"{tuned.best.number}: " + ", ".join(map(number, tuned.best.values))),
        *((f"  {name}", number(value)) for name, value in tuned.best.params.items()),
    ]
    if len(front["trial"]) > 1:
        table = Table(*front, title="Pareto front: the non-dominated trials", title_justify="left", pad_edge=False)
        for row in zip(*front.values(), strict=True):
            table.add_row(*map(number, row))
        Console(highlight=False, markup=False, soft_wrap=True).print(table)
    for finding in tuned.findings:
        print(finding)
    _print_result(f"Study {tuned.study.study_name}", rows + _model_rows(tuned.outcome), tuned.outcome, store)


def print_plan(plan: "Repetition", differences: Mapping[str, tuple[str, str]]) -> None:
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
        print("  git.dirty: changed beyond its commit, then and now; whether equally is not recorded")
    if not differences:
        print("  commit, versions, machine and threads: the same")
    print("Training", flush=True)


def print_diff(run: str, diff: "RunDiff") -> None:
    """Metric by metric whether it is the same, and all in all."""
    _print_columns(("metric", "values", "result"), [(one.metric, str(one.values), str(one)) for one in diff.metrics])
    print(f"Run {run}: {diff}; times and the machine's own metrics are not compared")


def print_answers(model: str, version: str, answers: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """The answer to each query, as pairs."""
    if as_json:
        made = {"model": model, "version": int(version)}
        _print_json({**made, "query": query, "answer": answer} for query, answer in answers)
        return
    for _, answer in answers:
        print(answer)


def print_models(versions: "Sequence[VersionRecord]", *, as_json: bool = False) -> None:
    """Every version of every model."""
    if as_json:
        dated = ({**vars(one), "version": int(one.version), "created": one.created.isoformat()} for one in versions)
        _print_json({**record, "score": _score_fields(record["score"])} for record in dated)
        return
    if not versions:
        print("no model is registered yet; train or tune one first")
        return
    now = datetime.now(UTC)
    rows = [
        (
            one.model,
            one.version,
            one.stage or "-",
            str(one.score or "-"),
            one.run or "-",
            age((now - one.created).total_seconds()),
            "-" if one.bytes is None else size(one.bytes),
        )
        for one in versions
    ]
    _print_columns(("model", "version", "stage", "score (95 % interval)", "run", "age", "size"), rows)


def print_runs(runs: "Sequence[RunRecord]", *, as_json: bool) -> None:
    """Runs, each with the first of its test scores that has an interval."""
    from ..statistics import estimates

    tests = [{name: run.metrics[name] for name in sorted(run.metrics) if name.startswith("test/")} for run in runs]
    scores = [next((one for one in estimates(metrics) if one.low is not None), None) for metrics in tests]
    if as_json:
        fields = ("id", "experiment", "name", "status", "began", "seconds")
        records = ({field: getattr(run, field) for field in fields} for run in runs)
        dated = ({**record, "began": record["began"].isoformat()} for record in records)
        _print_json({**record, "score": _score_fields(score)} for record, score in zip(dated, scores, strict=True))
        return
    if not runs:
        print("there is no run yet; train or tune first")
        return
    now = datetime.now(UTC)
    rows = [
        (run.id, run.experiment, run.name, run.status, str(score or "-"), age((now - run.began).total_seconds()))
        for run, score in zip(runs, scores, strict=True)
    ]
    _print_columns(("run", "experiment", "name", "status", "score (95 % interval)", "age"), rows)


def print_history(name: str, periods: "Sequence[ProductionPeriod]", *, as_json: bool = False) -> None:
    """Which version was in Production, the present one first."""
    if as_json:
        _print_json(
            {
                "version": one.version and int(one.version),
                "since": one.since.isoformat(),
                "until": one.until and one.until.isoformat(),
                "reason": one.reason,
            }
            for one in reversed(periods)
        )
        return
    if not periods:
        print(f"no version of {name} was in Production yet")
        return
    rows = [
        (one.version or "none", _moment(one.since), _moment(one.until) if one.until else "now", one.reason)
        for one in reversed(periods)
    ]
    _print_columns(("version", "in Production from", "until", "reason"), rows, wraps_last=True)


def print_promotion(name: str, promotion: "Promotion") -> None:
    """The stage that a version was moved to."""
    print(f"{name} version {promotion.version} is in {promotion.stage}: {promotion.reason}")


def print_deletion(plan: "Plan", *, dry_run: bool) -> None:
    """What goes, how much that frees, and what stays for a reason."""
    sizes = [one.bytes for one in plan.removals]
    for one, count in zip(plan.removals, sizes, strict=True):
        print(f"{'would delete' if dry_run else 'deletes'} {one.text}" + (f", {size(count)}" if count else ""))
    for reason in plan.kept:
        print(f"keeps {reason}")
    frees = f"{'would free' if dry_run else 'frees'} {size(sum(sizes))}"
    print(frees if sizes else "there is nothing to delete", flush=True)


def print_moved(found: "Comparison", store: "Store") -> None:
    """What two stores hold, with digests of the contents, and how to use the second one."""
    rows = [(name, *(f"{one.number:,} ({one.digest})" for one in both)) for name, both in found.items()]
    _print_columns(("what", "in the source", "in the target"), rows)
    print(f"\nAll is equal. Next\n  {command('models')}{store.option}")


def _print_json(records: Iterable[Mapping[str, object]]) -> None:
    print(json.dumps(list(records), indent=2, ensure_ascii=False))


def _score_fields(score: "Estimate | None") -> dict[str, object] | None:
    return {"name": score.name, "value": score.value, "low": score.low, "high": score.high} if score else None


def _moment(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _model_rows(outcome: "Outcome") -> list[tuple[str, str]]:
    from ..statistics import estimates

    whole = {name: value for name, value in outcome.metrics.items() if name.count("/") == 1}  # parts are in the run
    return [
        *((one.name, number(one.value) if one.low is None else one.formatted) for one in estimates(whole)),
        ("run", outcome.run),
        ("registered", f"{outcome.model} version {outcome.version}, {outcome.stage}"),
        ("reason", outcome.reason),
    ]


def _print_columns(columns: Sequence[str], rows: Sequence[Sequence[str]], *, wraps_last: bool = False) -> None:
    """Plain columns, as wide as their contents; on a terminal that is narrower, rows that break between cells.

    If it wraps the last column, that is text, which goes on in its column where the others leave room for some words.
    """
    terminal, wide = Console(highlight=False, markup=False), Console(highlight=False, markup=False, width=1000)
    table = Table(box=None, header_style="", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=column != columns[-1])
    for row in rows:
        table.add_row(*row)
    others = sum(max(map(len, cells)) + 2 for cells in list(zip(columns, *rows, strict=True))[:-1])
    if wraps_last and terminal.is_terminal and terminal.width - others >= MIN_TEXT_WIDTH:
        terminal.print(table)
        return
    if not terminal.is_terminal or wide.measure(table).maximum <= terminal.width:
        wide.print(table)
        return
    fill = TextWrapper(terminal.width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False).fill
    for row in (columns, *rows):
        # Spaces within a cell are kept from breaking, unless it is longer than a line.
        cells = [cell if len(cell) > terminal.width - 4 else cell.replace(" ", "\xa0") for cell in row]
        print(fill("  ".join(cells)).replace("\xa0", " "))


def _print_result(title: str, rows: Sequence[tuple[str, str]], outcome: "Outcome", store: "Store") -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    # Without its edge where a run's id would not fit beside the longest name, as of a cat's metric at 80 columns.
    fits = console.width >= max(len(name) for name, _ in rows) + len(outcome.run) + len("│ │ │")
    table = Table(title=title, title_justify="left", show_header=False, pad_edge=False, show_edge=fits)
    table.add_column(no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(
        f"""
Next
  {outcome.predict}{store.option}
  {command("ui")}{store.option}
  {command("dashboard")}{store.option}

Elsewhere in Python
  mlflow.set_tracking_uri("{store.tracking_uri}")
  mlflow.pyfunc.load_model("models:/{outcome.model}/{outcome.stage}").predict({outcome.example})"""
    )
