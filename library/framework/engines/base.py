"""What an engine does: it starts workers, tells how they end, and shows what they are doing."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

Work = Callable[[Any], tuple[int, str]]
"""What a worker does: takes a row for its progress, returns its exit code and what is wrong, if anything is."""
DIED = 1
"""Exit code of a worker that did not return."""


def empty_row(num_objectives: int) -> list[float]:
    """What `Progress.show_running` takes of a worker that has no trial."""
    return [0, -1, 0, *[math.nan] * num_objectives]


@dataclass(frozen=True)
class Exit:
    """How a worker ended.

    Attributes:
        code: what its work returned; 0 if all is well.
        reason: why its process ended, where the work did not.
        message: what its work returned besides the code.
        is_lost: whether its node was lost, so that its work is to be done again.
    """

    code: int
    reason: str = ""
    message: str = ""
    is_lost: bool = False


class Engine(ABC):
    """Starts workers; as a context, it ends with all of them.

    Attributes:
        num_threads: for each worker.
        nodes: the address of the node that a worker runs on, by the worker's name, where it is another machine.
    """

    num_threads: int
    nodes: Mapping[str, str] = {}

    @property
    @abstractmethod
    def workers(self) -> Collection[str]:
        """The names of the workers that were started and have not ended."""

    @property
    def waiting(self) -> Collection[str]:
        """Those of them that no node has room for yet."""
        return ()

    @property
    @abstractmethod
    def rows(self) -> Mapping[str, Sequence[float]]:
        """What each worker is doing, as `Progress.show_running` takes it."""

    @abstractmethod
    def start(self, name: str, work: Work) -> None:
        """Starts a worker."""

    @abstractmethod
    def wait(self) -> Mapping[str, Exit]:
        """The workers that have ended, by name, each only once; waits half a second for one."""

    @abstractmethod
    def kill(self) -> None:
        """Kills all workers."""

    def close(self) -> None:
        """Kills all workers and leaves the cluster; may be called again."""
        self.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object, /) -> None:
        self.close()
