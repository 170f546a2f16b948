"""What the verbs of the command line take, apart from an experiment's fields; and how any of it is read and refused.

Nothing heavy is imported here, so that `--help` and every error about a value come at once.
"""

from pathlib import Path

from pydantic import Field

from .config import Options, Stage


class StoreOptions(Options):
    """Where runs, registry and studies are kept."""

    store: Path = Field(Path("mlruns"), description="folder of runs, registry, studies and artifacts")


class StudyOptions(StoreOptions):
    """How to search, apart from what to search for."""

    study: str = Field("", pattern=r"^[\w.-]*$", description="name to resume the study by; empty: the model's name")
    trials: int = Field(20, ge=1, le=1_000_000, description="finished trials that the study is to have in the end")
    workers: int = Field(2, ge=1, le=256, description="processes that share the study and divide the cores")


class QueryOptions(StoreOptions):
    """What to ask which version."""

    stage: Stage = Field("Production", description="stage of the version to load")
    query: str = Field(description="the input: a text such as 45+23, or a PNG where the model takes images")
    out: str = Field("", description="where to write the answer to if it is an image: a file ending in .png")


class ComparisonOptions(StoreOptions):
    """How to compare."""

    seeds: int = Field(1, ge=1, le=1000, description="trainings of each config, from seed 0 on")


class RepeatOptions(StoreOptions):
    """Which run to repeat."""

    run: str = Field(description="id of the run, or how it begins if no other does")


class PageOptions(StoreOptions):
    """Where to write the page of a store, and where its links lead."""

    out: str = Field("", description="file to write, ending in .html; empty: STORE/report.html")
    ui: str = Field(
        "http://127.0.0.1:5000",
        pattern=r"^https?://[^\s\"'<>]+$",
        description="address that `make ui` shows its pages at",
    )


class ModelOptions(StoreOptions):
    """Which registered model."""

    model: str = Field(min_length=1, description="name in the registry, such as seq2seq-text-to-text")


class ServeOptions(ModelOptions):
    """Which version of it to serve, and where."""

    stage: Stage = Field("Production", description="stage of the version to load")
    port: int = Field(5001, ge=1024, le=65535, description="port of 127.0.0.1 to answer on")


class VersionOptions(ModelOptions):
    """Which version of it."""

    version: int = Field(ge=1, description="number of the version")
    force: bool = Field(False, description="do it whatever speaks against it")


class PromotionOptions(VersionOptions):
    """Which version is to go where."""

    stage: Stage = Field("Production", description="stage to move it to")
