"""Checkpoints: files of the whole state of a training after an epoch, in the folder of its run.

A training that is killed goes on from its last one. It finds the folder by itself, so that no experiment passes it on.
"""

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SHARE = 0.01
"""Of a training's time, what may be spent on writing checkpoints."""


@dataclass
class Checkpoints:
    """The checkpoints of a run, which may consist of several trainings, such as a pretraining and what follows it.

    Attributes:
        folder: that they lie in.
        seconds: that the trainings had taken which went on from a checkpoint.
    """

    folder: Path
    seconds: float = 0.0
    _begun: list[Path] = field(default_factory=list)

    def path(self, network: str) -> Path:
        """The file of the next training of a network with this description."""
        name = hashlib.sha256(network.encode()).hexdigest()[:16]
        place = sum(path.name.startswith(name) for path in self._begun)
        self._begun.append(self.folder / f"{name}-{place}.npz")
        return self._begun[-1]

    def has_others(self) -> bool:
        """Whether there are checkpoints of trainings that have not begun, such as of a network that was changed."""
        return not {*self.folder.glob("*.npz")} <= {*self._begun}


_current: ContextVar[Checkpoints | None] = ContextVar("checkpoints", default=None)


def current() -> Checkpoints | None:
    """The checkpoints of the run that is under way; None where it keeps none."""
    return _current.get()


@contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """Lets all trainings of the block keep their checkpoints in a folder, which is there; None: they keep none."""
    token = _current.set(Checkpoints(folder) if folder else None)
    try:
        yield
    finally:
        _current.reset(token)


@functools.cache
def versions() -> dict[str, str]:
    """What has to be the same when a training goes on: versions of Keras and of its backend, by name."""
    import keras  # here: its number of threads is set before

    return {name: version(name) for name in ("keras", keras.backend.backend())}


def write(path: Path, state: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
    """Writes or replaces a checkpoint, atomically; OSError where it cannot, which leaves the earlier one."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(file, np.array(json.dumps({**state, "versions": versions()})), *arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """State and arrays of a checkpoint; any Exception where it is damaged."""
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        state, *arrays = (file[f"arr_{place}"] for place in range(len(file)))
    return json.loads(str(state)), arrays


def check(folder: Path) -> str:
    """Why the checkpoints of a folder cannot be used; empty if they can."""
    for path in folder.glob("*.npz"):
        try:
            state, _ = read(path)
            then, now = state["versions"], versions()
        except Exception as error:  # zip, zlib, struct, json and numpy raise many kinds
            return f"its checkpoint is damaged ({type(error).__name__})"
        if then != now:
            before, today = (", ".join(map(" ".join, both.items())) for both in (then, now))
            return f"its checkpoint is of {before}, and this is {today}"
    return ""
