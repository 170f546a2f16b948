"""What a store holds for nothing: what was deleted in MLflow's pages, files of no run, lock files of nobody.

Only what is surely one of these goes; whatever else lies in the store's folder is left alone.
"""

import re
from pathlib import Path

from filelock import Timeout

from ..tracking.deletion import Plan, Removal, backend, local, rows, run_removal
from ..tracking.folder import FolderStore
from .artifacts import folder_of
from .deletion import version_by_run
from .queries import versions

OWN_FOLDER = re.compile(r"[0-9a-f]{32}|m-[0-9a-f]{32}")
"""The names of the folders that MLflow makes, of runs and of logged models."""


def garbage_plan(store: FolderStore) -> Plan:
    """All that can go; runs that versions come from, or that are being written, stay with their experiment."""
    found = _folders(store)  # before the database is read: whoever makes a folder has entered it there
    needed, kept, removals, staying = version_by_run(), [], [], set()
    deleted = "SELECT run_uuid, name, status, experiment_id FROM runs WHERE lifecycle_stage = 'deleted'"
    for run, name, status, experiment in rows(store, deleted):
        if run in needed or status == "RUNNING":
            kept.append(f"run {run[:8]} ({name}): {needed[run] + ' comes from it' if run in needed else 'is running'}")
            staying.add(experiment)
        else:
            removals.append(run_removal(store, run, name))
    removals += [_experiment(*row) for row in _deleted_experiments(store) if row[0] not in staying]
    removals += [*_logged_models(store), *_strays(store, found), *_locks(store)]
    return Plan(tuple(removals), tuple(kept))


def _deleted_experiments(store: FolderStore) -> list[tuple[int, str, str]]:
    query = "SELECT experiment_id, name, artifact_location FROM experiments WHERE lifecycle_stage = 'deleted'"
    return [row for row in rows(store, query) if row[0]]  # 0 is MLflow's own, which it would make again


def _experiment(number: int, name: str, address: str) -> Removal:
    def forget() -> None:
        backend()._hard_delete_experiment(str(number))
        for folder in (local(address) / "models", local(address)):
            if folder.is_dir() and not any(folder.iterdir()):  # another experiment may have its name by now
                folder.rmdir()

    return Removal(f"experiment {name}", (), forget)


def _logged_models(store: FolderStore) -> list[Removal]:
    """Models of runs that stay, deleted in MLflow's pages, unless they are versions."""
    query = """SELECT model_id, artifact_location FROM logged_models WHERE lifecycle_stage = 'deleted'
        AND source_run_id NOT IN (SELECT run_uuid FROM runs WHERE lifecycle_stage = 'deleted')"""
    used = _used_by_versions()
    return [
        Removal(f"logged model {one}", (local(address),), lambda one=one: backend()._hard_delete_logged_model(one))  # type: ignore[misc]
        for one, address in rows(store, query)
        if local(address) not in used
    ]


def _strays(store: FolderStore, found: set[Path]) -> list[Removal]:
    """Folders of runs and logged models that the database does not have, and probes of earlier versions."""
    known = {local(address) for (address,) in rows(store, "SELECT artifact_uri FROM runs")}
    known |= {local(address) for (address,) in rows(store, "SELECT artifact_location FROM logged_models")}
    strays = found - known - _used_by_versions()
    texts = {path: f"{path.relative_to(store.root)}, of no run" for path in sorted(strays)}
    texts |= {path: f"{path.name}, left by a dead process" for path in sorted(store.root.glob("tmp????????"))}
    return [Removal(text, (path,)) for path, text in texts.items()]


def _used_by_versions() -> set[Path]:
    return {local(folder_of(version).as_uri()) for version in versions()}


def _folders(store: FolderStore) -> set[Path]:
    addresses = rows(store, "SELECT artifact_location FROM experiments WHERE artifact_location IS NOT NULL")
    roots = {*(store.root / "artifacts").iterdir(), *(local(address) for (address,) in addresses)}
    roots = {root for root in roots if root.is_relative_to(store.root)}
    within = (
        path for root in roots for folder in (root, root / "models") if folder.is_dir() for path in folder.iterdir()
    )
    return {path for path in within if OWN_FOLDER.fullmatch(path.name) and path.is_dir()}


def _locks(store: FolderStore) -> list[Removal]:
    """One removal of all lock files that nobody holds; a lock that is taken meanwhile stays."""
    free = [path for path in sorted((store.root / "locks").iterdir()) if _unlink_if_free(store, path, do=False)]

    def forget() -> None:
        for path in free:
            _unlink_if_free(store, path, do=True)

    return [Removal(f"lock files of nobody: {len(free)}", (), forget)] if free else []


def _unlink_if_free(store: FolderStore, path: Path, *, do: bool) -> bool:
    try:
        with store.lock(path.name).acquire(timeout=0):
            if do:
                path.unlink()
            return True
    except Timeout:
        return False
