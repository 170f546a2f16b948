"""A run with its children, or a study with its runs, as what is to go; versions are in `registry.deletion`.

A run that a registered version comes from stays as long as the version does: the version's scores and page are there.
"""

import optuna
from filelock import Timeout

from ..errors import UserError, unknown
from ..registry.deletion import version_by_run
from ..tracking.deletion import Plan, Removal, run_removal
from ..tracking.queries import RunRecord, all_runs, find_run
from ..tracking.store import Store
from ..tuning.search import storage_of


def run_plan(store: Store, prefix: str) -> Plan:
    """The run whose id begins with a prefix, and its children.

    UserError where there is none or more than one, one of them is running, or a registered version comes from one.
    """
    family = _with_children([find_run(prefix)])
    _check_none_is_running(family)
    for run, version in version_by_run().items():
        if run in {one.id for one in family}:
            raise UserError(f"run {run}: {version} comes from it; delete the version first, or leave the run")
    return Plan(tuple(run_removal(store, one.id, one.name) for one in family))


def study_plan(store: Store, name: str) -> Plan:
    """A study in Optuna and its runs, without those that registered versions come from.

    UserError where there is none, or it is running.
    """
    has_studies = (store.root / "optuna.db").exists() and (store.root / "optuna.db").stat().st_size
    storage = storage_of(store) if has_studies else None
    names = optuna.get_all_study_names(storage) if storage else []
    if storage is None or name not in names:
        raise unknown("study", name, names) if names else UserError(f"study: got {name!r}; there is no study")
    try:
        with store.lock(f"study {name}").acquire(timeout=0):
            runs = _with_children([run for run in all_runs() if run.tags.get("study") == name])
    except Timeout:
        raise UserError(f"study {name!r}: is running; stop its command first") from None
    _check_none_is_running(runs)
    needed = version_by_run()
    study = Removal(f"study {name}", (), lambda: optuna.delete_study(study_name=name, storage=storage))
    removals = (run_removal(store, run.id, run.name) for run in runs if run.id not in needed)
    return Plan(
        (study, *removals), tuple(f"run {run}: {needed[run.id]} comes from it" for run in runs if run.id in needed)
    )


def _with_children(runs: list[RunRecord]) -> list[RunRecord]:
    """Runs and all that belong to them, once each."""
    family, everything = {run.id: run for run in runs}, all_runs()
    before = -1
    while before < (before := len(family)):
        family |= {run.id: run for run in everything if run.tags.get("mlflow.parentRunId") in family}
    return list(family.values())


def _check_none_is_running(runs: list[RunRecord]) -> None:
    for run in runs:
        if run.status == "RUNNING":
            raise UserError(f"run {run}: is running; stop its command first")
