"""Addresses of a store: a folder, an MLflow server or a PostgreSQL database; checked before work begins.

What the environment says to MLflow and Optuna is taken where nothing is given.
"""

import os
from urllib.parse import urlsplit

from ..environment import option
from ..errors import UserError

HTTP = ("http", "https")
POSTGRESQL = ("postgresql", "postgresql+psycopg2", "postgres")
FOLDER = "mlruns"
"""The folder that is the store where nothing else is given."""


def is_address(store: str) -> bool:
    """Whether a store is reached over the network; else it is a folder."""
    return "://" in store


def default_store() -> str:
    """The server that `MLFLOW_TRACKING_URI` names, else the default folder."""
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    return given if urlsplit(given).scheme in (*HTTP, *POSTGRESQL) else FOLDER


def default_studies() -> str:
    """The PostgreSQL database that `OPTUNA_STORAGE` names; empty if it names none."""
    given = os.environ.get("OPTUNA_STORAGE", "")
    return given if urlsplit(given).scheme in POSTGRESQL else ""


def check_store(given: str) -> str:
    """A store as it is used: a folder with its `~` written out, or an address.

    Raises:
        UserError: another kind of address, or one with a password in it.
    """
    if not is_address(given):
        return os.path.expanduser(given)  # noqa: PTH111 -- of an unknown user it stays as it is
    return _checked(
        "store", given, (*HTTP, *POSTGRESQL), "a folder, http://host:5000 or postgresql://user@host/database"
    )


def check_studies(given: str) -> str:
    """The address of studies, which may be empty; UserError as of `check_store`."""
    return given and _checked("studies", given, POSTGRESQL, "postgresql://user@host/database")


def check_target(given: str) -> str:
    """The address of the database that a store is moved to; UserError as of `check_store`."""
    found = _checked("to", given, (*POSTGRESQL, *HTTP), "postgresql://user@host/database")
    if not found.startswith("postgresql"):
        raise UserError(
            f"to: got {given!r}; give the database that the server stands on: postgresql://user@host/database"
        )
    return found


def check_artifacts(given: str) -> str:
    """The folder or address of artifacts, which may be empty; UserError as of `check_store`."""
    if not is_address(given):
        return os.path.expanduser(given)  # noqa: PTH111
    return _checked("artifacts", given, ("s3",), "a folder or s3://bucket/path")


def _checked(field: str, given: str, schemes: tuple[str, ...], allowed: str) -> str:
    try:
        parts = urlsplit(given)
        has_password, _ = parts.password is not None, parts.port
    except ValueError as error:
        raise UserError(f"{field}: got an address that cannot be read ({error}); allowed is {allowed}") from None
    if has_password:
        instead = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"
        if parts.scheme in POSTGRESQL:
            instead = "it as PGPASSWORD in the environment, or in ~/.pgpass"
        raise UserError(f"{field}: the address has a password in it, which would be shown; give {instead}")
    if parts.scheme not in schemes or not parts.netloc:
        raise UserError(f"{field}: got {given!r}; allowed is {allowed}")
    if parts.scheme in POSTGRESQL:
        return f"postgresql{given[len(parts.scheme) :]}"
    return given.rstrip("/")


def check_together(store: str, studies: str, artifacts: str) -> None:
    """Raises a UserError where the three do not go together."""
    if not is_address(store):
        for field, given in (("studies", studies), ("artifacts", artifacts)):
            if given and given != default_studies():
                raise UserError(f"{field}: got {given!r} with the store {store}; a folder holds them itself")
    elif store.startswith("http") and artifacts:
        raise UserError(f"artifacts: got {artifacts!r} with the server {store}; it decides where they are")
    elif store.startswith("postgresql") and not artifacts:
        choice = f"{option(artifacts='folder')} that all machines see, or {option(artifacts='s3://bucket/path')}"
        raise UserError(f"artifacts: nothing was given; with {store}, give {choice}")
