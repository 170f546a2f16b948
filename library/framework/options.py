"""Options that the command line and the Python interface share; light, so that `--help` and refusals come at once."""

import shlex
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from .config import Options
from .environment import option
from .errors import UserError
from .tracking import address


def _as_text(given: Any) -> Any:
    return str(given) if isinstance(given, Path) else given


def _check_notify(target: str) -> str:
    """A command must exist now: at the end of a study is too late to find that out."""
    with suppress(ValueError):  # of a quote that is not closed
        if not target or urlsplit(target).scheme in address.HTTP or shutil.which((shlex.split(target) or [""])[0]):
            return target
    raise UserError(f"notify: got {target!r}; allowed is a command on PATH, or an http(s):// address")


class StoreOptions(Options):
    """Where runs, registry and studies are kept."""

    store: Annotated[str, BeforeValidator(_as_text), AfterValidator(address.check_store)] = Field(
        default_factory=address.default_store,
        description="folder of runs, registry, studies and artifacts; or http(s):// of an MLflow server; or postgresql://",
    )
    studies: Annotated[str, AfterValidator(address.check_studies)] = Field(
        default_factory=address.default_studies,
        description="postgresql:// of the studies, of a store that is no folder; empty: beside the runs",
    )
    artifacts: Annotated[str, AfterValidator(address.check_artifacts)] = Field(
        "", description="folder or s3:// of the artifacts, of a store in PostgreSQL"
    )

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        address.check_together(self.store, self.studies, self.artifacts)
        return self


with warnings.catch_warnings(action="ignore", category=UserWarning):  # pydantic has a method, deprecated, of that name

    class JsonOption(Options):
        """Whether a command prints for people or for scripts."""

        json: bool = Field(False, description="print JSON, for scripts, in place of text")  # type: ignore[assignment]


class VersionOptions(Options):
    """Which version of a registered model to load."""

    stage: str = Field("Production", description="stage or alias, in any case, of the version to load")
    version: int = Field(0, ge=0, description="number of the version to load; 0: the one in the stage")

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if self.version and "stage" in self.model_fields_set:
            raise ValueError(f"stage: got {self.stage!r} with version {self.version}; allowed is one of both")
        return self


class EngineOptions(Options):
    """Where trainings run, and how many at once."""

    workers: int = Field(1, ge=1, le=256, description="trainings at once, which divide the cores")
    engine: Literal["local", "ray"] = Field("local", description="where workers run: on this machine or a Ray cluster")
    address: str = Field(
        "auto",
        pattern=r"^(auto|(ray://)?[\w.-]+:\d+)$",
        json_schema_extra={"allowed": "auto, host:port or ray://host:port"},
        description="host:port of the Ray cluster, or ray://host:10001 from outside it; auto: the one of this machine",
    )
    cpus: float = Field(1, gt=0, le=1024, description="CPUs of a node that a worker of Ray takes; so many threads")
    gpus: float = Field(0, ge=0, le=64, description="GPUs that a worker of Ray takes; 0.5: two workers share one")

    @model_validator(mode="after")
    def _fit_engine(self) -> Self:
        for name in ("address", "cpus", "gpus"):
            if self.engine == "local" and getattr(self, name) != EngineOptions.model_fields[name].default:
                raise ValueError(f"{name}: got {getattr(self, name)!r} without a cluster; give {option(engine='ray')}")
        for name in ("cpus", "gpus"):
            if (given := getattr(self, name)) > 1 and given % 1:
                raise ValueError(f"{name}: got {given:g}; allowed is a share of one, below 1, or a whole number")
        return self


STUDY_IN_WORDS: JsonDict = {"allowed": "letters, digits, '.', '_' and '-'"}


class SearchOptions(Options):
    """How to search, apart from what to search for and where to train.

    `from_study` is `from` on the command line, which Python keeps for itself.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    study: str = Field(
        "",
        max_length=200,
        pattern=r"^[\w.-]*$",
        json_schema_extra=STUDY_IN_WORDS,
        description="name to resume the study by; empty: the model's name",
    )
    trials: int = Field(20, ge=1, le=1_000_000, description="finished trials that the study is to have in the end")
    seeds: int = Field(1, ge=1, le=100, description="trainings of each config, with as many seeds; their means count")
    from_study: str = Field(
        "",
        max_length=200,
        pattern=r"^[\w.-]*$",
        json_schema_extra=STUDY_IN_WORDS,
        alias="from",
        description="name of a study whose best trials a new one begins with, after the defaults",
    )
    retry: bool = Field(False, description="run failed trials again, once what made them fail is gone")
    timeout: float = Field(0, ge=0, le=1e6, description="minutes after which no trial begins any more; 0: no limit")
    sampler: Literal["auto", "tpe", "gp", "cmaes", "qmc", "grid", "random", "nsgaii"] = Field(
        "auto", description="what draws the configs; auto: the SAMPLER of the search space's file, else tpe"
    )
    pruner: Literal["auto", "median", "percentile", "hyperband", "halving", "wilcoxon", "front", "none"] = Field(
        "auto",
        description="what ends bad trials early; auto: the PRUNER of the search space's file, else median, "
        "of several objectives front",
    )
    notify: Annotated[str, AfterValidator(_check_notify)] = Field(
        "",
        description="command that gets JSON on its input when the study ends, or http(s):// that gets it by POST",
    )


class StudyOptions(EngineOptions, SearchOptions):
    """How and where to search; pydantic lists the fields of the last class first."""

    workers: int = Field(2, ge=1, le=256, description="processes that share the study and divide the cores")
