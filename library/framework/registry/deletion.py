"""Versions removed with their files; the history of their model stays, and says that they were deleted."""

from contextlib import suppress

import mlflow
from mlflow.exceptions import MlflowException

from ..errors import UserError
from ..tracking.deletion import Plan, Removal, backend, local
from .artifacts import folder_of
from .queries import describe, model, version_of, versions
from .stages import reconcile


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

    return Plan((Removal(describe(found), () if is_shared else (local(str(folder)),), forget),))


def version_by_run() -> dict[str, str]:
    """Names the newest version that comes from each run that a version comes from."""
    return {str(one.run_id): describe(one) for one in reversed(versions())}
