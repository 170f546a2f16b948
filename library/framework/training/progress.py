"""What a command shows on a terminal while it runs: how much is done, the score, the time left.

It is a line of its own that is removed at the end; without a terminal there is none.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..experiment import Experiment


@contextmanager
def epochs(experiment: Experiment) -> Iterator[Any]:
    """A Keras callback that moves a bar beside the objectives, removed when the block ends."""
    from .callbacks import EpochCallback

    console = Console(highlight=False, stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=getattr(experiment.config, "epochs", None))

        def show(epoch: int, metrics: Mapping[str, float]) -> None:
            scores = (f"{name} {metrics[name]:.5g}" for name in experiment.resolved_objectives if name in metrics)
            bar.update(task, completed=epoch, description="  ".join(scores) or "training")

        yield EpochCallback(show)


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
