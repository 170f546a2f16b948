"""What a command shows on a terminal while it runs: how much is done, the score, the time left.

It is a line of its own that is removed at the end; without a terminal, an epoch is a line that stays.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ..experiment import Experiment
from ..formatting import number

SECONDS = 5
"""Between lines where there is no terminal, so that a log of quick epochs stays short."""


Report = Callable[[int, Mapping[str, float]], object]
"""Takes an epoch, from 1, and its metrics."""


@contextmanager
def epochs(experiment: Experiment, report: Report | None = None) -> Iterator[Any]:
    """A Keras callback that shows the epoch and the objectives: as a bar on a terminal, else as lines of stderr.

    Where the epochs are to be reported, it does that and shows nothing.
    """
    from .callbacks import EpochCallback

    if report:
        yield EpochCallback(report)
        return
    console = Console(highlight=False, stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        total, last = getattr(experiment.config, "epochs", None), time.monotonic()
        task = bar.add_task("training", total=total)

        def show(epoch: int, metrics: Mapping[str, float]) -> None:
            nonlocal last
            objectives = experiment.resolved_objectives
            scores = "  ".join(f"{name} {number(metrics[name])}" for name in objectives if name in metrics)
            bar.update(task, completed=epoch, description=scores or "training")
            if not console.is_terminal and time.monotonic() - last >= SECONDS:
                last = time.monotonic()
                print(f"epoch {epoch}/{total or '?'}  {scores}", file=sys.stderr, flush=True)

        yield EpochCallback(show)


@contextmanager
def trainings() -> Iterator[Callable[[Mapping[str, Sequence[float]]], None]]:
    """A function that shows trainings, as a bar each on a terminal: by label, the last epoch and all of them."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs")
    console = Console(highlight=False)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks = dict[str, TaskID]()

        def show(running: Mapping[str, Sequence[float]]) -> None:
            for label in tasks.keys() - running.keys():
                bar.remove_task(tasks.pop(label))
            for label, (epoch, total) in running.items():
                if label not in tasks:
                    tasks[label] = bar.add_task(label, total=None)
                bar.update(tasks[label], completed=max(epoch, 0), total=total or None)

        yield show


@contextmanager
def items(what: str, unit: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function that moves a bar to a count, of a total if that is known; it writes past a muted stderr."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with os.fdopen(os.dup(2), "w") as stderr:
        console = Console(highlight=False, file=stderr)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=None, count="")

            def show(done: int, total: int | None) -> None:
                of = "" if total is None else f"/{total:,}"
                bar.update(task, completed=done, total=total, count=f"{done:,}{of} {unit}")

            yield show
