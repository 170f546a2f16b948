"""Copies what a store holds into another one, equal to the last digit: artifacts as files, databases row by row.

Tags, studies, reports and commands refer to ids and times, of which MLflow's client would give a copy its own.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import sqlalchemy as sa
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from sqlalchemy.exc import DataError, IntegrityError

from ..environment import one_line
from ..errors import StoreError, UserError
from .base import Store
from .files import local_path

OWN = {"alembic_version", "version_info", "jobs", "job_locks", "scheduler_leases"}
"""Tables that each database keeps for itself: of versions, and of a server that is running."""
INITIAL = {"experiments", "workspaces"}
"""Tables with one row in a new database; the source's replaces it."""
BATCH_ROWS = 5000
UNFINISHED = ".artifact.uploading.*"
"""What MLflow leaves of a file that it was copying when it was killed, and neither lists nor removes."""


class Amount(NamedTuple):
    """How many rows or files there are, and a digest of their contents in any order."""

    number: int
    digest: str

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Amount":
        """Of rows or files as text."""
        digests = sorted(hashlib.sha256(text.encode()).digest() for text in texts)
        return cls(len(digests), hashlib.sha256(b"".join(digests)).hexdigest()[:12])


class Database:
    """A database of MLflow or of Optuna, whatever its kind: what it gives and takes are Python's values.

    Args:
        address: as SQLAlchemy takes it.
        settings: of its engine.
        move: what addresses of artifacts begin with, and what they are to begin with.
    """

    def __init__(self, address: str, settings: Mapping[str, Any], move: tuple[str, str] = ("", "")) -> None:
        self.engine, self._move, metadata = sa.create_engine(address, **settings), move, sa.MetaData()
        sa.event.listen(metadata, "column_reflect", _read_json_as_text)
        metadata.reflect(self.engine)
        self.tables = {one.name: one for one in metadata.sorted_tables if one.name not in OWN}  # referred to first

    def rows(self, name: str) -> Iterator[list[dict[str, Any]]]:
        """The rows of a table, in batches."""
        with self.engine.connect().execution_options(yield_per=BATCH_ROWS) as connection:
            for batch in connection.execute(self.tables[name].select()).mappings().partitions():
                yield [{column: self._moved(value) for column, value in row.items()} for row in batch]

    def amounts(self) -> dict[str, Amount]:
        """What each table holds, without those that are empty."""
        texts = {name: (repr(sorted(row.items())) for rows in self.rows(name) for row in rows) for name in self.tables}
        return {name: amount for name, of_table in texts.items() if (amount := Amount.of(of_table)).number}

    def fill(self, connection: sa.Connection, source: "Database") -> None:
        """Copies the rows of another database of the same version into this one, which must be as new."""
        for table in reversed(self.tables.values()):
            if table.name in INITIAL:
                connection.execute(table.delete())
        for table in self.tables.values():
            for rows in source.rows(table.name):
                connection.execute(table.insert(), rows)
            for column in table.primary_key:
                if isinstance(column.type, sa.Integer):  # new rows are numbered after these
                    counter = sa.func.pg_get_serial_sequence(table.name, column.name)
                    last = sa.func.nullif(sa.func.max(column), 0)
                    connection.execute(sa.select(sa.func.setval(counter, last)))

    def _moved(self, value: Any) -> Any:
        there, here = self._move
        if not there or not isinstance(value, str) or not value.startswith(there):
            return value
        rest = value[len(there) :]
        return here + (rest if here.startswith("file:") else unquote(rest))


def _read_json_as_text(_: object, _table: object, column: Any) -> None:
    """As it was written: None would be JSON's null as well as no value."""
    if isinstance(column["type"], sa.JSON):
        column["type"] = sa.Text()


def is_new(amounts: Mapping[str, Amount]) -> bool:
    """Whether a database holds no more than when it was made."""
    return all(name in INITIAL and one.number == 1 for name, one in amounts.items())


def copy_rows(pairs: Sequence[tuple[Database, Database]], target: Store) -> None:
    """Fills each second database from the first, all in transactions that are committed together, at the end.

    StoreError where the target was written to at the same time, or cannot hold a value.
    """
    try:
        with ExitStack() as transactions:
            for source, copy in pairs:
                copy.fill(transactions.enter_context(copy.engine.begin()), source)
    except (IntegrityError, DataError) as error:
        raise StoreError(f"store {target}: {one_line(error.orig or error)}; nothing was moved into it") from error


def copy_artifacts(source: Path, target: Store) -> tuple[Amount, Amount]:
    """Copies the files of a folder that a store's artifacts lack, and compares all by SHA-256; what both hold then.

    Raises:
        UserError: the store has a file that is not in the folder.
        StoreError: a file cannot be read or written, as with a full disk.
    """
    address = target.artifacts_uri
    repository, here = get_artifact_repository(address), local_path(address)
    files = {str(one.relative_to(source)): one for one in source.rglob("*") if one.is_file()}
    files = {name: one for name, one in files.items() if not one.match(UNFINISHED)}
    theirs, ours = {}, {}
    try:
        for unfinished in here.rglob(UNFINISHED) if here else ():
            unfinished.unlink()
        there = dict(_sizes(repository))
        if others := there.keys() - files.keys():
            given = f"{address} holds {min(others)}, which is not in {source}"
            raise UserError(f"artifacts: {given}; give an empty folder or address")
        for name, file in sorted(files.items()):
            theirs[name] = _sha256(file)
            if there.get(name) == file.stat().st_size:
                ours[name] = _stored_sha256(repository, name)
            if ours.get(name) != theirs[name]:
                repository.log_artifact(str(file), name.rpartition("/")[0] or None)  # type: ignore[no-untyped-call]
                ours[name] = _stored_sha256(repository, name)
    except UserError:
        raise
    except Exception as error:  # also boto3's, which has no kind in common with others
        again = "the same command goes on once that is fixed"
        raise StoreError(f"artifacts {address}: {one_line(error)}; {again}") from error
    return Amount.of(map(repr, theirs.items())), Amount.of(map(repr, ours.items()))


def _sizes(repository: ArtifactRepository, folder: str | None = None) -> Iterator[tuple[str, int | None]]:
    """The paths of all files with their sizes in bytes."""
    for one in repository.list_artifacts(folder):
        yield from _sizes(repository, one.path) if one.is_dir else [(one.path, one.file_size)]


def _stored_sha256(repository: ArtifactRepository, name: str) -> str:
    if here := local_path(repository.artifact_uri):
        return _sha256(here / name)
    with tempfile.TemporaryDirectory() as folder:
        return _sha256(Path(repository.download_artifacts(name, folder)))  # type: ignore[no-untyped-call]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
