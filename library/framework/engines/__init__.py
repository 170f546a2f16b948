"""Where workers run: as processes of this machine, or as tasks of a Ray cluster."""

import os

from ..environment import option
from ..errors import UserError
from ..options import EngineOptions
from ..tracking.store import Store
from .base import Engine, Exit
from .local import LocalEngine

__all__ = ["Engine", "Exit", "LocalEngine", "open_engine"]


def open_engine(options: EngineOptions, store: Store, num_objectives: int = 0) -> Engine:
    """The engine that the options name, able to run workers that write to a store.

    Raises:
        UserError: Ray is not installed, its cluster does not answer, has no node that is large enough, or a node with
            other packages; or the store is a folder, which other machines do not see.
    """
    if options.engine == "local":
        return LocalEngine(options.workers, num_objectives)
    if not store.is_shared:
        servers = option(store="postgresql://user@host/database")
        raise UserError(f"engine: ray needs a store that all nodes reach, got {store}; give {servers}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_OVERRIDE_RUNTIME_ENV_DEFAULT_EXCLUDES", "")  # ours say more, and say it silently
    try:
        from .ray import RayEngine
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UserError(f"engine: ray is not installed; pip install ray, or give {option(engine='local')}") from None

    return RayEngine(options, num_objectives)
