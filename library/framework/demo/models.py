"""The versions of registered models that the page offers, each loaded once: a model is found by stage for every answer.

Loading takes seconds and an answer milliseconds, so that a version that was loaded is kept.
"""

import threading
from collections.abc import Callable
from typing import Any

from ..config import STAGES
from ..environment import start_keras
from ..errors import UserError
from ..registry import queries
from ..registry.artifacts import find_version, folder_of, load_version
from ..serving.app import EXAMPLE, RequestSchema
from ..tracking.queries import exists, read_run

MAX_LOADED = 12
"""Versions in memory; the one that was loaded first makes room."""


class Models:
    """The registered models of the store that was opened last; may be used by several threads."""

    def __init__(self) -> None:
        self._loaded: dict[Any, Any] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Imports Keras, by one thread at a time, as it silences the process's stderr for that time."""
        with self._lock:
            start_keras(None)

    def names(self) -> list[str]:
        """All registered models that have a version."""
        return [one.name for one in queries.models() if queries.versions(one.name)]

    def choices(self, name: str) -> list[str]:
        """The stages in use, Production first, then each version: what `load` takes."""
        versions = queries.versions(name)
        used = {str(one.current_stage) for one in versions}
        stages = [stage for stage in ("Production", "Staging", *STAGES) if stage in used]
        return [*dict.fromkeys(stages), *(f"version {one.version}" for one in versions)]

    def load(self, name: str, choice: str, make: "Callable[[Any, Any], Any] | None" = None) -> Any:
        """A version, ready to `predict`, or what `make` builds of it and its `ModelVersion`; kept once it was loaded.

        Raises:
            UserError: there is no such version, or it cannot be loaded: its files were changed, a package is missing.
        """
        found = _find(name, choice)
        key = (name, found.version, make)
        if (kept := self._loaded.get(key)) is not None:  # without the lock: another model may be loading
            return kept
        with self._lock:
            start_keras(None)
            if key not in self._loaded:
                while len(self._loaded) >= MAX_LOADED:
                    del self._loaded[next(iter(self._loaded))]
                try:
                    model = load_version(found)
                    self._loaded[key] = make(model, found) if make else model
                except UserError:
                    raise
                except Exception as error:  # of a model of someone's own there is no telling which
                    raise UserError(f"{name}, version {found.version}, cannot be loaded: {error}") from error
            return self._loaded[key]


def _find(name: str, choice: str) -> Any:
    number = int(choice.removeprefix("version ")) if choice.startswith("version ") else None
    return find_version(name, choice or "Production", number)


def read_schema(name: str, choice: str) -> tuple[RequestSchema, str]:
    """What a request to a version may contain, and its example request as JSON; the model is not loaded."""
    folder = folder_of(_find(name, choice))
    return RequestSchema.read(folder), (folder / EXAMPLE).read_text(encoding="utf-8")


def trained_by(version: Any) -> Any:
    """The experiment that trained a version, with its config; UserError where its run or its file is gone."""
    from ..discovery import find

    if not exists(str(version.run_id)):
        raise UserError(f"the run {version.run_id}, which registered the version, was deleted")
    run = read_run(str(version.run_id))
    return find(run.experiment).from_params(run.params)
