"""The commands of the cats: their images, samples of a model, and the models side by side."""

import math
from pathlib import Path

from pydantic import Field

from library.cats.options import CurationOptions, SideBySideOptions
from library.framework import images
from library.framework.cli.commands import ModelCommand
from library.framework.cli.parser import Command, Commands
from library.framework.config import TextPath
from library.framework.environment import start_keras
from library.framework.errors import UserError
from library.framework.options import VersionOptions


class CurateCats(Command, CurationOptions):
    """Makes a set of cats from a folder, zip, tar, npy or address of images, or resumes that."""

    def __call__(self) -> None:
        from library.cats.data.curation.run import curate_dataset

        with self.open_store() as store:
            curate_dataset(self, store)


class Generate(ModelCommand, VersionOptions):
    """Draws cats with a registered model and writes them as one PNG."""

    on_interrupt = "nothing was drawn"
    n: int = Field(64, ge=1, le=10_000, description="images to draw, in one grid")
    out: TextPath = Field("", description="where to write the grid to: a file ending in .png")
    strategy: str = Field("", description="how latent vectors are drawn, such as mixture; empty: the model's best way")
    seed: int = Field(0, ge=0, lt=2**32, description="draws them")

    def __call__(self) -> None:
        try:
            target = images.check_target(self.out)
        except ValueError as error:
            raise UserError(str(error)) from None

        with self.open_existing_store():
            from library.cats.figures import tiled
            from library.framework.registry.artifacts import find_version, load_version, params_of
            from library.framework.serving.app import num_threads

            version = find_version(self.model, self.stage, self.version)
            if not {"strategy", "seed"} <= params_of(version):
                raise UserError(f"model: got {self.model!r}, which draws no cats; allowed is such as cats-vae")
            start_keras(num_threads(version))
            model = load_version(version)
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
        with self.open_existing_store(writes=True) as store:
            start_keras(None)

            from library.cats.comparison.compare import compare

            compare(self, store)


class TrainFeatureNetwork(Command):
    """Trains the network in whose features samples are scored, as the shipped one was; takes minutes."""

    out: TextPath = Field("feature-network.npz", min_length=1, description="where to write the weights to")

    def __call__(self) -> None:
        start_keras(None)

        from library.cats.feature_network import network, training

        digest = network.save(training.train(training.TrainingImages()), Path(self.out))
        print(f"{self.out}: SHA-256 {digest}, {'equal to' if digest == network.SHA256 else 'not equal to'} the shipped")


COMMANDS: Commands = {
    "cats": CurateCats, "generate": Generate, "compare-cats": CompareCats,
    "feature-network": TrainFeatureNetwork,
}  # fmt: skip
"""The commands of this family, by name."""
