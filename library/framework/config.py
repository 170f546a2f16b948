"""Everything that can be set: the fields that data, networks and training bring to an experiment's config.

An experiment's own config inherits those it needs. Nothing heavy is imported here, so that `--help` and every
error about a value come at once.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .errors import UserError, unknown

C = TypeVar("C", bound="Config")
OptionsType = TypeVar("OptionsType", bound="Options")
TextPath = Annotated[str, AfterValidator(os.path.expanduser)]
"""The path or address of a file; `~` is one's home, which not every shell writes out."""
STAGES: tuple[str, ...] = ("Staging", "Production", "Archived")


def spelled_stage(given: str) -> str:
    """A stage as MLflow spells it, given in any case; what is no stage as it was given."""
    return next((stage for stage in STAGES if stage.lower() == given.lower()), given)


Stage = Annotated[Literal["Staging", "Production", "Archived"], BeforeValidator(spelled_stage)]


class Options(BaseModel):
    """Frozen; a field that does not exist or is out of bounds is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class Config(Options):
    """All that a run depends on."""

    seed: int = Field(0, ge=0, lt=2**32, description="draws the weights and the order of the batches")

    def changed(self) -> dict[str, Any]:
        """The fields that are not at their defaults, with their values."""
        fields = type(self).model_fields
        return {name: value for name, value in self if value != fields[name].default}


class ScheduleConfig(Config):
    """How long and how fast to train; the budget does not depend on the size of the training set."""

    epochs: int = Field(40, ge=1, le=100_000, description="how often validation is scored, at equal distances")
    steps_per_epoch: int = Field(200, ge=1, le=100_000, description="batches in an epoch, whatever the data's size")
    batch_size: int = Field(64, ge=1, le=65_536, description="examples in a batch")
    patience: int = Field(
        0, ge=0, description="epochs without a better validation score before stopping; 0 never stops"
    )
    learning_rate: float = Field(2e-3, gt=0, le=1, description="the peak, reached after the warm-up")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="of the learning rate after the warm-up: down to 0, or kept"
    )
    warmup: float = Field(0.05, ge=0, lt=1, description="share of all steps in which the rate grows from 0")
    minutes: float = Field(0, ge=0, le=1e6, description="stop after the epoch in which so many are over; 0 never stops")

    @property
    def steps(self) -> int:
        """Batches in the whole training."""
        return self.epochs * self.steps_per_epoch


class TrainingConfig(ScheduleConfig):
    """How to train with AdamW, as all do that have one loss."""

    weight_decay: float = Field(
        0.3, ge=0, le=10, description="decoupled decay of AdamW, on all but biases and what reads or draws images"
    )
    clip_norm: float = Field(1.0, gt=0, description="gradients of a larger norm are scaled down to it")


def parse(config_type: type[OptionsType], values: Mapping[str, Any]) -> OptionsType:
    """Options from values that may still be strings; raises UserError in one line for the first bad one."""
    try:
        return config_type(**values)
    except ValidationError as error:
        raise _user_error(error, config_type) from None


def _user_error(error: ValidationError, config_type: type[Options]) -> UserError:
    """The first thing that is wrong, in one line."""
    first = error.errors()[0]
    if not first["loc"]:
        return UserError(str(first["ctx"]["error"]))
    name = str(first["loc"][0])
    if first["type"] == "missing":
        return UserError(f"{name}: nothing was given; it is {config_type.model_fields[name].description}")
    if first["type"] == "extra_forbidden":
        return unknown("field", name, config_type.model_fields)
    field = next((one for key, one in config_type.model_fields.items() if name in (key, one.alias)), None)
    in_words = field.json_schema_extra if field else None
    if first["type"] == "string_pattern_mismatch" and isinstance(in_words, dict) and "allowed" in in_words:
        return UserError(f"{name}: got {first['input']!r}; allowed is {in_words['allowed']}")
    allowed = first["msg"].removeprefix("Input should be ").replace("String should match pattern", "text that matches")
    allowed = allowed.replace("String should have", "text of").replace("a valid integer", "an integer")
    allowed = allowed.replace("a valid string, unable to parse raw data as a unicode string", "text in UTF-8")
    allowed = allowed.replace("a valid ", "a ")
    return UserError(f"{name}: got {first['input']!r}; allowed is {allowed.split(', unable')[0]}")
