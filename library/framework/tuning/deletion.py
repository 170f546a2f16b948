"""A study with its runs as what is to go; runs and versions are in `registry.deletion`.

A run that a registered version comes from stays as long as the version does: the version's scores and page are there.
"""

import optuna
from filelock import Timeout

from ..errors import UserError, unknown
from ..registry.deletion import check_none_is_running, version_by_run, with_children
from ..tracking.deletion import Plan, Removal, run_removal
from ..tracking.folder import FolderStore
from ..tracking.queries import all_runs
from .search import existing_storage


def study_plan(store: FolderStore, name: str) -> Plan:
    """A study in Optuna and its runs, without those that registered versions come from.

    UserError where there is none, or it is running.
    """
    storage = existing_storage(store)
    names = optuna.get_all_study_names(storage) if storage else []
    if storage is None or name not in names:
        raise unknown("study", name, names) if names else UserError(f"study: got {name!r}; there is no study")
    try:
        with store.lock(f"study {name}").acquire(timeout=0):
            runs = with_children([run for run in all_runs() if run.tags.get("study") == name])
    except Timeout:
        raise UserError(f"study {name!r}: is running; stop its command first") from None
    check_none_is_running(runs)
    needed = version_by_run()
    study = Removal(f"study {name}", (), lambda: optuna.delete_study(study_name=name, storage=storage))
    removals = (run_removal(store, run.id, run.name) for run in runs if run.id not in needed)
    return Plan(
        (study, *removals), tuple(f"run {run}: {needed[run.id]} comes from it" for run in runs if run.id in needed)
    )
