"""What the commands of cats take, apart from an experiment's fields."""

from typing import Literal

from pydantic import Field

from library.cats.config import Network
from library.framework.config import Stage
from library.framework.options import StoreOptions


class CurationOptions(StoreOptions):
    """What to make a set of cats of, and where to."""

    cats: str = Field(min_length=1, description="the images: a folder, zip, tar, npy, or an http(s) address of one")
    out: str = Field("", description="folder of the set; empty: STORE/cats/ and the name of what it is made of")
    sha256: str = Field(
        "", pattern=r"^([0-9a-fA-F]{64})?$", description="checksum of what is downloaded; empty: any will do"
    )


class GenerationOptions(StoreOptions):
    """Which model is to draw how many cats, and how."""

    model: Literal["cae", "vae", "gan"] = Field(description="which experiment's model")
    n: int = Field(64, ge=1, le=10_000, description="images to draw, in one grid")
    out: str = Field("", description="where to write the grid to: a file ending in .png")
    stage: Stage = Field("Production", description="stage of the version to load")
    strategy: str = Field("", description="how latent vectors are drawn, such as mixture; empty: the model's best way")
    seed: int = Field(0, ge=0, lt=2**32, description="draws them")


class SideBySideOptions(StoreOptions):
    """Which models of cats to compare, and how."""

    stage: Stage = Field("Production", description="stage of the versions to compare")
    n: int = Field(2000, ge=10, le=10_000, description="images to draw of each model by each strategy")
    features: Network = Field(
        "random-vgg16-quarter", description="network in whose features samples are compared with test images"
    )
    out: str = Field("", description="folder for the page and its pictures; empty: STORE/cats/comparison")
