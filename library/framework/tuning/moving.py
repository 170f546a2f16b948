"""Moves a store that is a folder into one on servers, and compares the two; the folder stays as it is.

Artifacts go first, then all rows at once: a move that was interrupted left no row behind, and is begun again.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import optuna
from filelock import Timeout

from ..errors import StoreError, UserError
from ..registry.deletion import check_none_is_running
from ..tracking.base import Store
from ..tracking.files import local_path
from ..tracking.mlflow_run import EXPERIMENTS
from ..tracking.moving import Amount, Database, copy_artifacts, copy_rows, is_new
from ..tracking.queries import running_runs
from .search import existing_storage, storage_of

LOCK_SECONDS = 3
"""How long another process may be at the registry, or begin a run, until it counts as one that uses the store."""
Comparison = dict[str, tuple[Amount, Amount]]
"""What there is, by its name, in the source and in the target."""


@contextmanager
def exclusive(store: Store) -> Iterator[None]:
    """Keeps an open store as it is: no study is driven, no version registered, and new runs wait until the block ends.

    UserError where a study or a run is under way.
    """
    storage = existing_storage(store)
    studies = optuna.get_all_study_names(storage) if storage else []
    names = ["registry", EXPERIMENTS, *(f"study {name}" for name in studies)]
    with ExitStack() as locks:
        for name in names if not store.refusal() else ():  # who cannot write it takes no lock in it
            try:
                locks.enter_context(store.lock(name).acquire(timeout=LOCK_SECONDS))
            except Timeout:
                raise UserError(f"store {store}: is in use ({name}); stop the command that uses it first") from None
        check_none_is_running(running_runs())
        yield


def move(source: Store, target: Store, *, served: bool) -> Comparison:
    """Copies everything from a folder, while it is `exclusive`, to an open store in PostgreSQL.

    Args:
        source: a folder.
        target: a store that is new, or that this move was begun with.
        served: whether artifacts are to be read through an MLflow server that keeps its own where the target's are.

    Raises:
        UserError: the target holds something else.
        StoreError: it cannot be read or written, or differs in the end.
    """
    addresses = (f"{source.artifacts_uri}/", "mlflow-artifacts:/" if served else f"{target.artifacts_uri}/")
    uris = [(source.tracking_uri, target.tracking_uri)]
    if source.has_studies:
        storage_of(target)  # which makes the tables
        uris.append((source.studies_uri, target.studies_uri))
    pairs = [
        (Database(theirs, source.engine_settings, addresses), Database(ours, target.engine_settings))
        for theirs, ours in uris
    ]
    unfilled = []
    for theirs, ours in pairs:
        if is_new(there := ours.amounts()):
            unfilled.append((theirs, ours))
        elif there != theirs.amounts():
            raise UserError(f"store {target}: holds something else than {source} does; give empty databases")
    found = {"files": copy_artifacts(Path(local_path(source.artifacts_uri) or ""), target)}
    copy_rows(unfilled, target)
    for theirs, ours in pairs:
        before, after = theirs.amounts(), ours.amounts()
        none = Amount.of(())
        found |= {name: (before.get(name, none), after.get(name, none)) for name in sorted(before | after)}
    if different := [name for name, (one, other) in found.items() if one != other]:
        reason = f"differs from {source}, which was written to meanwhile, in {', '.join(different)}"
        raise StoreError(f"store {target}: {reason}; empty it, and give the command again")
    return found
