"""The images of a config, whose set is found where it is: a folder, or by the digest that names it."""

import re
import sys
from itertools import chain
from pathlib import Path

from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.framework.environment import command
from library.framework.errors import UserError
from library.framework.tracking.queries import kept_folders
from library.framework.tracking.store import current_store
from library.framework.training.splits import digest


def load_images(config: CatsConfig) -> dataset.Cats:
    """The images; UserError where there is no such set. A set that is named by its digest is looked for in the store.

    It is in the folder `cats`, of the store or the current one, or in the artifacts of the run that made it.
    """
    given = config.cats
    if re.fullmatch("[0-9a-f]{16}", given) and not Path(given).exists():
        return dataset.load(config.model_copy(update={"cats": str(_find(given))}))
    return dataset.load(config)


def _find(given: str) -> Path:
    store = current_store()
    beside = store.outputs / "cats"
    here = (folder for folder in sorted(beside.glob("*")) if dataset.read_report(folder).get("digest") == given)
    for folder in chain(here, kept_folders("cats", given, dataset.FOLDER)):
        if digest(dataset.curated(folder, sys.maxsize)) == given:
            return folder
        raise UserError(f"cats: {str(folder)!r} is no longer the set {given}; remove it, then try again")
    raise UserError(
        f"cats: no set with the digest {given!r} is in {str(beside)!r} or among the artifacts of {store}; allowed is "
        f"drawn, or the folder or digest of a set that {command('cats')} made"
    )
