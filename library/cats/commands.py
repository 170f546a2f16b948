"""The commands of the cats: their images, samples of a model, and the models side by side."""

import math
from typing import Literal

from pydantic import Field

from library.cats.options import CurationOptions, SideBySideOptions
from library.framework import images
from library.framework.cli.parser import Command, Commands
from library.framework.config import Stage
from library.framework.discovery import find
from library.framework.environment import start_keras
from library.framework.errors import UserError


class CurateCats(Command, CurationOptions):
    """Makes a set of cats from a folder, zip, tar, npy or address of images, or resumes that."""

    def __call__(self) -> None:
        from library.cats.data.curation.run import curate_dataset
        from library.framework.tracking.store import open_store

        with open_store(self.store) as store:
            curate_dataset(self, store)


class Generate(Command):
    """Draws cats with a registered model and writes them as one PNG."""

    on_interrupt = "nothing was drawn"
    model: Literal["cae", "vae", "gan"] = Field(description="which experiment's model")
    n: int = Field(64, ge=1, le=10_000, description="images to draw, in one grid")
    out: str = Field("", description="where to write the grid to: a file ending in .png")
    stage: Stage = Field("Production", description="stage of the version to load")
    strategy: str = Field("", description="how latent vectors are drawn, such as mixture; empty: the model's best way")
    seed: int = Field(0, ge=0, lt=2**32, description="draws them")

    def __call__(self) -> None:
        try:
            target = images.check_target(self.out)
        except ValueError as error:
            raise UserError(str(error)) from None
        experiment = find(self.model)()

        with self.open_existing_store():
            from library.cats.figures import tiled
            from library.framework.registry.artifacts import load_model

            start_keras(experiment.num_threads)
            model = load_model(experiment.model_name, self.stage)
            strategy = {"strategy": self.strategy} if self.strategy else {}
            try:
                drawn = model.predict([self.n], params={"seed": self.seed, **strategy})
            except ValueError as error:  # of a strategy that the model does not have
                raise UserError(str(error)) from None
        images.save(tiled(drawn, columns=math.ceil(math.sqrt(self.n))), target)
        print(target)


class CompareCats(Command, SideBySideOptions):
    """Compares the registered models of cats in a stage: a run, tables, figures and a page of them."""

    def __call__(self) -> None:
        with self.open_existing_store() as store:
            start_keras(None)

            from library.cats.comparison.compare import compare

            compare(self, store)


COMMANDS: Commands = {"cats": CurateCats, "generate": Generate, "compare-cats": CompareCats}
"""The commands of this family, by name."""
