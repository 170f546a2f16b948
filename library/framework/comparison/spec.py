"""What is to be compared: configs of one experiment along one or two fields, or its defaults and a baseline.

A file of `experiments/comparisons/` defines one of these as `comparison`; `make compare-NAME` runs it.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ..config import parse
from ..discovery import find
from ..environment import option
from ..errors import UserError
from ..experiment import Experiment
from ..options import EngineOptions


@dataclass(frozen=True, kw_only=True)
class ComparisonSpec:
    """A comparison of one experiment, given by its name or its class."""

    experiment: str | type[Experiment] = ""

    @property
    def experiment_type(self) -> type[Experiment]:
        """The class of the experiment; UserError where there is none of the name."""
        return find(self.experiment) if isinstance(self.experiment, str) else self.experiment


@dataclass(frozen=True, kw_only=True)
class Comparison(ComparisonSpec):
    """Which configs of an experiment to compare, and by which metric.

    Attributes:
        experiment: its name, or its class; that which has it as its `comparison` unless given.
        metric: what is compared, as in `test/accuracy`.
        along: the field on the figure's axis, and its values.
        lines: the field that makes a line each, and its values; None for a single line.
        fields: what all configs have in common.
        more_metrics: shown beside it, as means over the seeds.
        paired: whether the lines are tested on the same examples, so that they can be compared example by example.
            Examples have equal names then, up to an ending as in ` in DATA`.
    """

    metric: str
    along: tuple[str, Sequence[Any]]
    lines: tuple[str, Sequence[Any]] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    more_metrics: Sequence[str] = ()
    paired: bool = False

    @property
    def compared_fields(self) -> list[str]:
        """The field of the lines, if there is one, and that of the axis."""
        return [name for name, _ in filter(None, (self.lines, self.along))]

    def experiments(self, fixed: Mapping[str, Any], seed: int) -> Iterator[Experiment]:
        """All experiments of one seed, those of a line together; a compared field that is fixed keeps that value.

        A compared field that is fixed to another value, or a field that is not allowed, is a UserError.
        """
        _check_seed(fixed)
        compared = {}
        for name, values in filter(None, (self.lines, self.along)):
            compared[name] = [value for value in values if str(value) == str(fixed.get(name, value))]
            if not compared[name]:
                raise UserError(f"{name}: got {fixed[name]!r}; compared are {', '.join(map(str, values))}")
        for cell in itertools.product(*compared.values()):
            fields = {**self.fields, **fixed, **dict(zip(compared, cell, strict=True)), "seed": seed}
            yield self.experiment_type(**fields)

    def run(self, store: Any, name: str = "", seeds: int = 1, **given: Any) -> Any:
        """Trains all configs that were not trained yet, and compares them in a `ComparisonResult`: `make compare-NAME`.

        Args:
            store: what `open_store` gave.
            name: of the comparison; that of the experiment unless given.
            seeds: trainings of each config, from seed 0 on.
            given: fields that all configs have in common; and, as of the command, `workers` to train so many at once,
                `engine` to do so on a Ray cluster, with its `address`, `cpus` and `gpus`.
        """
        name = name or self.experiment_type.name
        return import_module("..grid", __name__).compare(self, store, name, seeds, *_options_and_fields(given))


@dataclass(frozen=True, kw_only=True)
class Baseline(ComparisonSpec):
    """What an experiment's defaults are measured against: another config, trained for as long as they are.

    Attributes:
        fields: those that are the baseline's own, whatever the command fixes; neither of the data nor of the scores.
        figures: which of both runs' figures are put side by side.
    """

    fields: Mapping[str, Any]
    figures: Sequence[str] = ()

    def experiments(self, fixed: Mapping[str, Any], seed: int) -> Iterator[Experiment]:
        """The defaults of one seed but for what is fixed, then the baseline; UserError where a field is not allowed."""
        _check_seed(fixed)
        for fields in (fixed, {**fixed, **self.fields}):
            yield self.experiment_type(**{**fields, "seed": seed})

    def run(self, store: Any, name: str = "baseline", seeds: int = 1, **given: Any) -> Any:
        """Trains the defaults, then the baseline for the same time, as `Comparison.run`; returns a `BaselineResult`."""
        return import_module("..baseline", __name__).measure(self, store, name, seeds, *_options_and_fields(given))


def _options_and_fields(given: Mapping[str, Any]) -> tuple[EngineOptions, Mapping[str, Any]]:
    own = EngineOptions.model_fields.keys() & given.keys()
    fields = {name: value for name, value in given.items() if name not in own}
    return parse(EngineOptions, {name: given[name] for name in own}), fields


def _check_seed(fixed: Mapping[str, Any]) -> None:
    if "seed" in fixed:
        many = option(seeds="how many")
        raise UserError(f"seed: got {fixed['seed']!r}; a comparison trains from seed 0 on, give {many}")
