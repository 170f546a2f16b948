"""Options that the command line and the Python interface share; light, so that `--help` and refusals come at once."""

from pathlib import Path

from pydantic import Field

from .config import FolderPath, Options


class StoreOptions(Options):
    """Where runs, registry and studies are kept."""

    store: FolderPath = Field(Path("mlruns"), description="folder of runs, registry, studies and artifacts")


class StudyOptions(Options):
    """How to search, apart from what to search for."""

    study: str = Field(
        "", max_length=200, pattern=r"^[\w.-]*$", description="name to resume the study by; empty: the model's name"
    )
    trials: int = Field(20, ge=1, le=1_000_000, description="finished trials that the study is to have in the end")
    workers: int = Field(2, ge=1, le=256, description="processes that share the study and divide the cores")
