"""The commands `delete` and `gc`: they say what goes and how much disk that frees, and delete it for good."""

from typing import TYPE_CHECKING

from pydantic import Field

from ..environment import option
from ..errors import UserError
from .parser import Command

if TYPE_CHECKING:
    from ..tracking.deletion import Plan
    from ..tracking.folder import FolderStore


class DryRunOption(Command):
    """A command that says what it would delete."""

    dry_run: bool = Field(False, description="only say what would be deleted")

    def open_folder(self) -> "FolderStore":
        """Opens the store; UserError where it is no folder."""
        store = self.open_existing_store(writes=True)

        from ..tracking.deletion import in_folder

        return in_folder(store)

    def print_and_carry_out(self, plan: "Plan") -> None:
        """Says what goes and how much that frees, and deletes it unless that was not asked for."""
        from . import output

        output.print_deletion(plan, dry_run=self.dry_run)
        if not self.dry_run:
            plan.carry_out()


class Delete(DryRunOption):
    """Deletes a run with its children, a version, or a study with its runs, for good, and says what that frees."""

    run: str = Field("", description="id of the run, or how it begins if no other does")
    model: str = Field("", description="name of the registered model whose version it is")
    version: int = Field(0, ge=0, description="number of the version; with model")
    study: str = Field("", description="name of the study")

    def __call__(self) -> None:
        if sum(map(bool, (self.run, self.version, self.study))) != 1 or bool(self.model) != bool(self.version):
            allowed = (
                f"{option(run='id')}, {option(model='name')} with {option(version='number')}, {option(study='name')}"
            )
            raise UserError(f"delete: allowed is one of {allowed}")

        with self.open_folder() as store:
            from ..registry.deletion import run_plan, version_plan
            from ..registry.queries import write_lock

            with write_lock():
                if self.version:
                    self.print_and_carry_out(version_plan(self.model, str(self.version)))
                elif self.run:
                    self.print_and_carry_out(run_plan(store, self.run))
                else:
                    from ..tuning.deletion import study_plan

                    self.print_and_carry_out(study_plan(store, self.study))


class Gc(DryRunOption):
    """Deletes for good what was deleted in MLflow's pages, files of no run, and lock files of nobody."""

    def __call__(self) -> None:
        with self.open_folder() as store:
            from ..registry.garbage import garbage_plan
            from ..registry.queries import write_lock

            with write_lock():
                self.print_and_carry_out(garbage_plan(store))
