"""What a command shows while it runs, on a terminal: how much it has behind it, its score, the time left.

On a line of its own that is gone in the end; without a terminal there is none.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..config import Config
from ..run import Callback


@contextmanager
def epochs(config: Config, scores: Sequence[str]) -> Iterator[Callback]:
    """A callback that moves a bar beside these metrics, gone when the block ends; nothing without a terminal."""
    console = Console(highlight=False, stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=getattr(config, "epochs", None))

        def show(epoch: int, metrics: Mapping[str, float]) -> None:
            told = "  ".join(f"{name} {metrics[name]:.5g}" for name in scores if name in metrics)
            bar.update(task, completed=epoch, description=told or "training")

        yield show


@contextmanager
def counted(what: str, unit: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function that moves a bar to so many, of so many if that is known; it writes past a muted stderr."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with os.fdopen(os.dup(2), "w") as stderr:
        console = Console(highlight=False, file=stderr)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=None, told="")

            def show(done: int, total: int | None) -> None:
                of = "" if total is None else f"/{total:,}"
                bar.update(task, completed=done, total=total, told=f"{done:,}{of} {unit}")

            yield show
