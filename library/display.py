"""What a training shows while it runs, on a terminal: how many epochs it has behind it, its score, the time left."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from library.configs import Config
from library.experiment import Callback


@contextmanager
def epochs(config: Config, objective: str) -> Iterator[Callback]:
    """A callback that moves a bar, which is gone when the block ends; without a terminal it shows nothing."""
    console = Console(highlight=False, stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=getattr(config, "epochs", None))

        def show(epoch: int, metrics: Mapping[str, float]) -> None:
            score = f"{objective} {metrics[objective]:.4f}" if objective in metrics else "training"
            bar.update(task, completed=epoch, description=score)

        yield show
