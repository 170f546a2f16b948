"""What a study shows while it runs: a line for every finished trial, below them a bar with the time left."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

COLOURS = {TrialState.COMPLETE: "green", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}


class Progress:
    """Shows finished trials as they come; on a terminal also a bar, best value and time left."""

    def __init__(self, trials: int, objective: str, direction: str) -> None:
        self._objective = objective
        self._better = max if direction == "maximize" else min
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
        for trial in trials:
            if trial.number not in self._shown:
                self._shown.add(trial.number)
                self._console.print(self._line(trial))
        values = [trial.value for trial in trials if trial.state is TrialState.COMPLETE and trial.value is not None]
        best = f"best {self._better(values):.4f}" if values else "trials"
        self._bar.update(self._task, completed=len(trials), description=best)

    def _line(self, trial: FrozenTrial) -> str:
        state = f"[{COLOURS[trial.state]}]{trial.state.name.lower():8}[/]"
        value = "" if trial.value is None else f"{self._objective} {trial.value:.4f}"
        reason = trial.user_attrs.get("reason", "its process died") if trial.state is TrialState.FAIL else ""
        params = "  ".join(f"{name} {_short(v)}" for name, v in trial.params.items())
        return f"trial {trial.number:3}  {state}  {value}{escape(reason)}  [dim]{escape(params)}[/]"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
