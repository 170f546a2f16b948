"""Where a training reports to: metrics, tables and figures of a run; the null object, and callbacks."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

Callback = Callable[[int, Mapping[str, float]], None]
"""Called after every epoch with its number (from 1) and its metrics (`val/loss`, ...); may raise to stop.

`Enough` ends the training as if it were over; anything else is passed on.
"""

Callbacks = Sequence[Callback]


class Enough(Exception):
    """What a callback raises to end a training after this epoch, as if all its epochs were over."""


class Run:
    """Where a training reports to. This one keeps nothing; `MlflowRun` of `tracking` writes to MLflow."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Keeps values of one moment; names read `split/metric`."""

    def log_dataset(self, name: str, digest: str, splits: "Mapping[str, np.ndarray]") -> None:
        """Keeps which data was used: the digest of the whole and the shape of each split's inputs."""

    def log_figure(self, name: str, figure: "Figure") -> None:
        """Keeps a picture as `figures/NAME.png` and closes it."""

    def log_image(self, name: str, image: "np.ndarray", step: int = 0) -> None:
        """Keeps an image `[height, width, 3]` uint8 of one moment; MLflow shows those of a name as a course."""

    def log_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Keeps a table as `tables/NAME.json`, which MLflow's pages show as one, in place of one of that name."""

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Keeps words about the run."""


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as `Run.log_table` takes them: at least one, each with a value for the keys of the first."""
    return {column: [row[column] for row in rows] for column in rows[0]}
