"""The verbs of a whole store, and how a verb opens one that must be there."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from library.errors import StoreError
from library.options import PageOptions, StoreOptions

if TYPE_CHECKING:
    from library.tracking import Store


def report(options: PageOptions) -> None:
    """Writes one HTML page of the whole store, with tables and figures, that opens without a server."""
    with filled(options) as store:
        from library import store_page

        print(store_page.write(options, store))


def filled(options: StoreOptions) -> AbstractContextManager["Store"]:
    """Opens a store that must be there: no empty one is made to look for something in it."""
    if not (options.store / "mlflow.db").exists():
        raise StoreError(f"store {options.store}: there is none; train or tune first, or give STORE=folder")
    from library import tracking

    return tracking.open_store(options.store)
