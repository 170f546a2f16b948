"""What the verbs of the command line take, apart from an experiment's fields; and how any of it is read and refused.

Nothing heavy is imported here, so that `--help` and every error about a value come at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from library.errors import UserError

OptionsType = TypeVar("OptionsType", bound="Options")
Stage = Literal["Staging", "Production", "Archived"]
Network = Literal["random-vgg16-quarter", "inception-v3"]
STAGES: tuple[str, ...] = get_args(Stage)


class Options(BaseModel):
    """Frozen; a field that does not exist or is out of bounds is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


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


class SideBySideOptions(StoreOptions):
    """Which models of cats to compare, and how."""

    stage: Stage = Field("Production", description="stage of the versions to compare")
    n: int = Field(2000, ge=10, le=10_000, description="images to draw of each model by each strategy")
    features: Network = Field(
        "random-vgg16-quarter", description="network in whose features samples are compared with test images"
    )
    out: str = Field("", description="folder for the page and its pictures; empty: STORE/cats/comparison")


def parse(config_type: type[OptionsType], values: Mapping[str, Any]) -> OptionsType:
    """Options from values that may still be strings; raises UserError in one line for the first bad one."""
    try:
        return config_type(**values)
    except ValidationError as error:
        raise UserError(_first_line(error, config_type)) from None


def _first_line(error: ValidationError, config_type: type[Options]) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return str(first["ctx"]["error"])
    name = str(first["loc"][0])
    if first["type"] == "missing":
        return f"{name}: nothing was given; it is {config_type.model_fields[name].description}"
    if first["type"] == "extra_forbidden":
        return f"unknown field {name!r}; allowed are {', '.join(config_type.model_fields)}"
    allowed = first["msg"].removeprefix("Input should be ").replace("String should match pattern", "text that matches")
    default = config_type.model_fields[name].default
    example = f", as in {default}" if default and first["type"] == "string_pattern_mismatch" else ""
    return f"{name}: got {first['input']!r}; allowed is {allowed.split(', unable')[0]}{example}"
