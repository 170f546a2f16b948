"""Where a training reports to: metrics, tables and figures of a run; the one here keeps nothing."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

Callbacks = Sequence[Any]
"""Any objects of `keras.callbacks.Callback`; `training.callbacks.EpochCallback` makes one of a function."""


class StopTraining(Exception):
    """Raised after an epoch to end a training as if all its epochs were over; see `EpochCallback`."""


class Run:
    """Where a training reports to. This one keeps nothing; `tracking.MlflowRun` writes to MLflow."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Keeps the values of one step; names read `split/metric`."""

    def forget_steps(self) -> bool:
        """Lets steps be logged that were before the run was resumed; whether there were any."""
        return False

    def log_dataset(self, name: str, digest: str, splits: "Mapping[str, np.ndarray]") -> None:
        """Keeps which data was used: the digest of the whole and the shape of each split's inputs."""

    def log_figure(self, name: str, figure: "Figure") -> None:
        """Keeps a figure as `figures/NAME.png` and closes it."""

    def log_image(self, name: str, image: "np.ndarray", step: int = 0) -> None:
        """Keeps an image `[height, width, 3]` uint8 of one step; MLflow shows those of a name with a slider."""

    def log_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Keeps a table as `tables/NAME.json`, which MLflow's pages show as one; replaces one of that name."""

    def log_json(self, path: str, value: Any) -> None:
        """Keeps a value as a JSON artifact."""

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Keeps words about the run."""


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as `Run.log_table` takes them: at least one, each with a value for the keys of the first."""
    return {column: [row[column] for row in rows] for column in rows[0]}
