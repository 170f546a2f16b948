"""What curating and comparing cats take, from the command line or from Python."""

from pydantic import Field

from library.cats.config import Network
from library.framework.config import Stage, TextPath
from library.framework.options import StoreOptions


class CurationOptions(StoreOptions):
    """What to make a set of cats of, and where to."""

    cats: TextPath = Field(
        min_length=1, description="the images: a folder, zip, tar, npy, or an http(s) address of one"
    )
    out: TextPath = Field("", description="folder of the set; empty: STORE/cats/ and the name of what it is made of")
    sha256: str = Field(
        "",
        pattern=r"^([0-9a-fA-F]{64})?$",
        json_schema_extra={"allowed": "64 hexadecimal digits"},
        description="checksum of what is downloaded; empty: any will do",
    )


class SideBySideOptions(StoreOptions):
    """Which models of cats to compare, and how."""

    stage: Stage = Field("Production", description="stage of the versions to compare")
    n: int = Field(2000, ge=10, le=10_000, description="images to draw of each model by each strategy")
    features: Network = Field(
        "drawn-cats-v1", description="network in whose features samples are compared with test images"
    )
    out: TextPath = Field("", description="folder for the page and its pictures; empty: STORE/cats/comparison")
