"""The versions of registered models that the page offers, each loaded once: a model is found by stage for every answer.

Loading takes seconds and an answer milliseconds, so that a version that was loaded is kept.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..config import STAGES
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
            UserError: there is no such version, or its files are not those that were registered.
        """
        number = int(choice.removeprefix("version ")) if choice.startswith("version ") else None
        found = find_version(name, choice or "Production", number)
        key = (name, found.version, make)
        with self._lock:
            if key not in self._loaded:
                while len(self._loaded) >= MAX_LOADED:
                    del self._loaded[next(iter(self._loaded))]
                model = load_version(found)
                self._loaded[key] = make(model, found) if make else model
            return self._loaded[key]


def schema(model: Any, version: Any) -> tuple[Any, RequestSchema, str]:
    """A model, what a request to it may contain, and its example request as JSON."""
    example: Path = folder_of(version) / EXAMPLE
    return model, RequestSchema.from_model(model, example), example.read_text(encoding="utf-8")


def trained_by(version: Any) -> Any:
    """The experiment that trained a version, with its config; UserError where its run or its file is gone."""
    from ..discovery import find

    if not exists(str(version.run_id)):
        raise UserError(f"the run {version.run_id}, which registered the version, was deleted")
    run = read_run(str(version.run_id))
    return find(run.experiment).from_params(run.params)
