"""Where a store's artifacts are: MLflow records absolute addresses; a moved or copied store corrects them in itself."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

ADDRESSES = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)  # fmt: skip
"""The columns of MLflow's tables that hold addresses of artifacts, all of which begin with that of their folder."""


def relocate(root: Path) -> None:
    """Makes the database of a store in a folder name the artifacts there, wherever they were when it was written.

    A store that can still be found at its recorded place, as through a mount, is that store and stays as it is.
    """
    here = (root / "artifacts").as_uri()
    with closing(sqlite3.connect(root / "mlflow.db", timeout=60)) as database, database:
        kept = database.execute("SELECT name, artifact_location FROM experiments").fetchall()
        folders = {address.removesuffix(f"/{quote(name)}") for name, address in kept if address}
        for there in folders - {here}:
            recorded = Path(url2pathname(urlsplit(there).path))
            is_same = recorded.exists() and recorded.samefile(root / "artifacts")
            if there.endswith("/artifacts") and not is_same:
                for table, column in ADDRESSES:
                    database.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
                        (here, len(there) + 1, len(there) + 1, f"{there}/"),
                    )
