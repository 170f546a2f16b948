"""A run with its children, or a version with its files, as what is to go; what a version needs stays.

The history of a model stays, and says which of its versions were deleted.
"""

from contextlib import suppress

import mlflow
from mlflow.exceptions import MlflowException

from ..errors import UserError
from ..tracking.deletion import Plan, Removal, backend, local, run_removal
from ..tracking.folder import FolderStore
from ..tracking.queries import RunRecord, all_runs, find_run
from .artifacts import folder_of
from .queries import describe, model, version_of, versions
from .stages import reconcile


def run_plan(store: FolderStore, prefix: str) -> Plan:
    """The run whose id begins with a prefix, and its children.

    UserError where there is none or more than one, one of them is running, or a registered version comes from one.
    """
    family = with_children([find_run(prefix)])
    check_none_is_running(family)
    for run, version in version_by_run().items():
        if run in {one.id for one in family}:
            raise UserError(f"run {run}: {version} comes from it; delete the version first, or leave the run")
    return Plan(tuple(run_removal(store, one.id, one.name) for one in family))


def version_plan(name: str, number: str) -> Plan:
    """A version and its files, unless another version has the same; to be called and carried out under `write_lock`.

    Raises:
        NotRegistered: there is no such model or version.
        UserError: it is in Production.
    """
    reconcile(model(name), versions(name))
    found = version_of(name, number)
    if found.current_stage == "Production":
        raise UserError(f"{describe(found)}: is in Production; promote another or roll back first")
    folder = folder_of(found)
    others = (one for one in versions() if (one.name, str(one.version)) != (name, number))
    is_shared = any(folder == folder_of(other) for other in others)

    def forget() -> None:
        mlflow.MlflowClient().delete_model_version(name, number)
        if found.model_id and not is_shared:
            with suppress(MlflowException):  # of a version whose logged model was deleted before
                backend()._hard_delete_logged_model(found.model_id)
        reconcile(model(name), versions(name))

    return Plan((Removal(describe(found), () if is_shared else (local(folder.as_uri()),), forget),))


def version_by_run() -> dict[str, str]:
    """Names the newest version that comes from each run that a version comes from."""
    return {str(one.run_id): describe(one) for one in reversed(versions())}


def with_children(runs: list[RunRecord]) -> list[RunRecord]:
    """Runs and all that belong to them, once each."""
    family, everything = {run.id: run for run in runs}, all_runs()
    before = -1
    while before < (before := len(family)):
        family |= {run.id: run for run in everything if run.tags.get("mlflow.parentRunId") in family}
    return list(family.values())


def check_none_is_running(runs: list[RunRecord]) -> None:
    """Raises a UserError that names the first that is running."""
    for run in runs:
        if run.status == "RUNNING":
            raise UserError(f"run {run}: is running; stop its command first")
