"""What a study shows while it runs: a line for every finished trial, below them a bar with the time left."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ..experiment import Experiment
from .trials import chosen, front, values_of

COLOURS = {TrialState.COMPLETE: "green", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}


class Progress:
    """Shows finished trials as they come; on a terminal also a bar, time left, and what would win as yet."""

    def __init__(self, trials: int, experiment: Experiment[Any]) -> None:
        self._experiment = experiment
        self._shown: set[int] = set()
        self._console = Console(highlight=False)
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), console=self._console,
            speed_estimate_period=86_400,  # seconds: trials end minutes apart
        )  # fmt: skip
        self._task = self._bar.add_task("trials", total=trials)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, trials: Sequence[FrozenTrial]) -> None:
        """Prints those not yet shown and moves the bar."""
        new = [trial for trial in trials if trial.number not in self._shown]
        for trial in new:
            self._shown.add(trial.number)
            self._console.print(self._line(trial))
        if new:
            self._bar.update(self._task, completed=len(trials), description=self._best(trials))

    def _best(self, trials: Sequence[FrozenTrial]) -> str:
        best = front(trials, self._experiment.objectives)
        if not best:
            return "trials"
        values = ", ".join(f"{value:.5g}" for value in chosen(best, self._experiment).values)
        return f"best {values}" + (f", front of {len(best)}" if len(best) > 1 else "")

    def _line(self, trial: FrozenTrial) -> str:
        state = f"[{COLOURS[trial.state]}]{trial.state.name.lower():8}[/]"
        reason = trial.user_attrs.get("reason", "its process died") if trial.state is TrialState.FAIL else ""
        values = _listed(values_of(trial, self._experiment.objectives), digits=5)
        params = _listed(trial.params, digits=3)
        return f"trial {trial.number:3}  {state}  {values}{escape(reason)}  [dim]{escape(params)}[/]"


def _listed(values: Mapping[str, Any], digits: int) -> str:
    short = {name: f"{value:.{digits}g}" if isinstance(value, float) else value for name, value in values.items()}
    return "  ".join(f"{name} {value}" for name, value in short.items())
