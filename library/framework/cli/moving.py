"""The command `move-store`: a folder's runs, studies, models and artifacts go to servers, and are compared there."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ..environment import option
from ..errors import UserError
from ..options import StoreOptions
from ..tracking import address
from .parser import BaseCommand, Command


class MoveStore(Command):
    """Copies a store that is a folder into one in PostgreSQL, and compares the two; the folder stays as it is."""

    to: Annotated[str, AfterValidator(address.check_target)] = Field(
        description="postgresql:// of the new store", examples=["postgresql://user@host/database"]
    )
    artifacts: Annotated[str, AfterValidator(address.check_artifacts)] = Field(
        min_length=1, description="folder or s3:// of the new store's artifacts, which is empty"
    )
    served: bool = Field(
        False, description="artifacts are read through an MLflow server, whose --artifacts-destination is ARTIFACTS"
    )

    @model_validator(mode="after")
    def _go_together(self) -> "MoveStore":
        if address.is_address(self.store):
            raise UserError(f"store: got {self.store!r}; allowed is a folder, which is what can be moved")
        if self.served and not self.studies:
            raise UserError(f"studies: nothing was given; give {option(studies='postgresql://user@host/database')}")
        if Path(self.artifacts).resolve().is_relative_to(Path(self.store).resolve()):
            raise UserError(f"artifacts: got {self.artifacts!r}, which is in {self.store}; give another folder")
        return self

    def __call__(self) -> None:
        with self.open_existing_store() as source:
            from ..tracking.store import store_of
            from ..tuning import moving
            from . import output

            new = BaseCommand(store=self.to, studies=self.studies, artifacts=self.artifacts)
            with moving.exclusive(source), new.open_store() as target, target.lock("move-store"):
                found = moving.move(source, target, served=self.served)
                server = StoreOptions(store="http://host:5000", studies=self.studies)
                output.print_moved(found, store_of(server) if self.served else target)
