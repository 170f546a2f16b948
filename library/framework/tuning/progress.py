"""What a study shows while it runs: a line for every finished trial, and a bar with the time left."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ..formatting import number
from .search import Search
from .trials import pareto_trials, select_best, values_of

COLORS = {TrialState.COMPLETE: "green", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}


class Progress(Bar):
    """Shows finished trials as they come; on a terminal also a bar, the time left, and the best value so far."""

    def __init__(self, search: Search) -> None:
        self._objectives, self._select = search.objectives, type(search.base).select
        self._printed: set[int] = set()
        super().__init__(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), console=Console(highlight=False),
            speed_estimate_period=86_400,  # seconds: trials end minutes apart
        )  # fmt: skip
        self._task = self.add_task("trials", total=search.options.trials)

    def show(self, trials: Sequence[FrozenTrial]) -> None:
        """Prints those not yet shown and moves the bar."""
        new = [trial for trial in trials if trial.number not in self._printed]
        for trial in new:
            self._printed.add(trial.number)
            self.console.print(self._line(trial))
        if new:
            self.update(self._task, completed=len(trials), description=self._best(trials))

    def _best(self, trials: Sequence[FrozenTrial]) -> str:
        front = pareto_trials(trials, self._objectives)
        if not front:
            return "trials"
        values = ", ".join(map(number, select_best(front, self._objectives, self._select).values))
        return f"best {values}" + (f", Pareto front of {len(front)}" if len(front) > 1 else "")

    def _line(self, trial: FrozenTrial) -> str:
        state = f"[{COLORS[trial.state]}]{trial.state.name.lower():8}[/]"
        reason = trial.user_attrs.get("reason", "its process died") if trial.state is TrialState.FAIL else ""
        values = _formatted(values_of(trial, self._objectives), digits=5)
        params = _formatted(trial.params, digits=3)
        return f"trial {trial.number:3}  {state}  {values}{escape(reason)}  [dim]{escape(params)}[/]"


def _formatted(values: Mapping[str, Any], digits: int) -> str:
    short = {name: number(value, digits) for name, value in values.items()}
    return "  ".join(f"{name} {value}" for name, value in short.items())
