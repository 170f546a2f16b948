"""What a command leaves on the terminal: a table of what came of it and the commands to go on with."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from library.lifecycle import Outcome
from library.tracking import Store
from library.tuning import Tuned, counted


def trained(outcome: Outcome, store: Store) -> None:
    """A model's scores, version and stage."""
    _print("A model", _model_rows(outcome), outcome, store)


def tuned(done: Tuned, store: Store) -> None:
    """A study's trials and its winner's scores, version and stage."""
    trials = counted(done.study)
    states = Counter(trial.state.name.lower() for trial in trials)
    rows = [
        ("trials", f"{len(trials)}: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))),
        ("best trial", f"{done.best.number}: {done.best.value:.4f}"),
        *((f"  {name}", _number(value)) for name, value in done.best.params.items()),
    ]
    _print(f"Study {done.study.study_name}", rows + _model_rows(done.outcome), done.outcome, store)


def _model_rows(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        *((name, _number(value)) for name, value in outcome.metrics.items()),
        ("trained in", f"{outcome.seconds:.0f} s"),
        ("registered", f"{outcome.model} version {outcome.version}, {outcome.stage}"),
        ("because", outcome.reason),
    ]


def _print(title: str, rows: Sequence[tuple[str, str]], outcome: Outcome, store: Store) -> None:
    table = Table(title=title, title_justify="left", show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(
        f'\nGo on with\n  make predict QUERY="45+23"   ask the Production version\n'
        f"  make ui                      browse the runs (this one is {outcome.run})\n"
        f"  make dashboard               browse the study\n\n"
        f"Elsewhere in Python\n"
        f'  mlflow.set_tracking_uri("{store.tracking_uri}")\n'
        f'  mlflow.pyfunc.load_model("models:/{outcome.model}/{outcome.stage}").predict(...)'
    )


def _number(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
