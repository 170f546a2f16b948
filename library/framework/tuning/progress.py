"""What a study shows while it runs: a line for every finished trial, a bar with the time left, one for each worker."""

import socket
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from ..formatting import number
from .search import Search
from .trials import duplicates_of, finished_of, pareto_trials, select_best, values_of

SHOW_SECONDS = (0.5, 4)
"""How often finished trials are looked for: while they come, and at last where none does."""
COLORS = {TrialState.COMPLETE: "green", TrialState.PRUNED: "yellow", TrialState.FAIL: "red"}


class Progress(Bar):
    """Shows finished trials as they come; on a terminal also bars, the time left, and the best value so far."""

    def __init__(self, search: Search) -> None:
        self._objectives, self._select = search.objectives, type(search.base).select
        self._printed: set[int] = set()
        self._running: dict[str, tuple[TaskID, float]] = {}
        self._pause, self._due = SHOW_SECONDS[0], time.monotonic() + SHOW_SECONDS[0]
        super().__init__(
            TextColumn("{task.description}"), BarColumn(None, table_column=Column(max_width=40)), MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            console=Console(highlight=False),
            refresh_per_second=2,
            speed_estimate_period=86_400,  # seconds: trials end minutes apart
        )  # fmt: skip
        self._task = self.add_task("", total=search.options.trials, unit="trials")

    def show(self, trials: Sequence[FrozenTrial]) -> bool:
        """Prints those of a study's trials that have ended since the last time; returns whether any has.

        The bar moves too; duplicates do not count for it.
        """
        finished, duplicates = finished_of(trials), duplicates_of(trials)
        new = [trial for trial in (*finished, *duplicates) if trial.number not in self._printed]
        for trial in sorted(new, key=lambda trial: trial.number):
            self._printed.add(trial.number)
            same = trial.user_attrs.get("reason", "") if trial in duplicates else ""
            self.console.print(self._line(trial, same), soft_wrap=True)
        if new:
            self.update(self._task, completed=len(finished), description=self._best(finished))
        return bool(new)

    def show_when_due(self, study: Study, *, at_once: bool) -> bool:
        """As `show` of all trials, at once or when the time for it has come; returns whether these were read."""
        if not at_once and time.monotonic() < self._due:
            return False
        self._pause = (
            SHOW_SECONDS[0] if self.show(study.get_trials(deepcopy=False)) else min(2 * self._pause, SHOW_SECONDS[1])
        )
        self._due = time.monotonic() + self._pause
        return True

    def aim_at(self, total: int) -> None:
        """Sets how many trials the bar's end stands for."""
        self.update(self._task, total=total)

    def show_running(self, rows: Mapping[str, Sequence[float]], nodes: Mapping[str, str] | None = None) -> None:
        """Moves the workers' bars, as many as the terminal has room for.

        Args:
            rows: each is a worker's trial, its last epoch (-1: it has no trial), all its epochs (0: not known), and its
                objectives (nan: not known yet); by the worker's name.
            nodes: where the workers run, if not here.
        """
        for name in self._running.keys() - rows.keys():
            self.remove_task(self._running.pop(name)[0])
        for name, (trial, epoch, epochs, *scores) in [*rows.items()][: self.console.height - 5]:
            task, shown = self._running.get(name) or (self.add_task("", visible=False, unit="epochs"), -1)
            if trial != shown:
                self.reset(task)
            self._running[name] = task, trial
            where = f" on {nodes[name]}" if nodes and name in nodes else ""
            known = {one: score for one, score in zip(self._objectives, scores, strict=True) if score == score}
            words = f"trial {trial:3.0f}{where}  {_formatted(known, digits=5)}"
            self.update(task, description=words, completed=epoch, total=epochs or None, visible=epoch >= 0)

    def _best(self, trials: Sequence[FrozenTrial]) -> str:
        front = pareto_trials(trials, self._objectives)
        if not front:
            return ""
        values = ", ".join(map(number, select_best(front, self._objectives, self._select).values))
        return f"best {values}" + (f", Pareto front of {len(front)}" if len(front) > 1 else "")

    def _line(self, trial: FrozenTrial, same: str) -> Text:
        """A trial's state, values and params; what a terminal has no room for goes below the params."""
        reason = trial.user_attrs.get("reason", "its process died") if trial.state is TrialState.FAIL else ""
        if trial.state is TrialState.COMPLETE and not same and "reason" in trial.user_attrs:
            reason = f"  {trial.user_attrs['reason']}"  # of constraints
        state = f"trial {trial.number:3}  {trial.state.name.lower():8}  "
        node = trial.user_attrs.get("node", "")
        reason += f"  on {node}" if node not in ("", socket.gethostname()) else ""
        head = f"{state}{same or _formatted(values_of(trial, self._objectives), digits=5) + reason}  "
        line = head + _formatted(trial.params, digits=3, space="\xa0")  # which textwrap takes for a letter
        if self.console.is_terminal:
            indent = " " * len(head if len(head) <= self.console.width - 24 else state)
            line = textwrap.fill(
                line, self.console.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
        text = Text(line.replace("\xa0", " "))
        text.stylize(COLORS[trial.state], len(state) - 10, len(state))
        text.stylize("dim", len(head))
        return text


def _formatted(values: Mapping[str, Any], digits: int, space: str = " ") -> str:
    short = {name: number(value, digits) for name, value in values.items()}
    return "  ".join(f"{name}{space}{value}" for name, value in short.items())
