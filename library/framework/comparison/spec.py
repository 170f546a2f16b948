"""What is to be compared: configs of one experiment along two fields, or its defaults and a baseline."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..config import Config, parse
from ..errors import UserError

if TYPE_CHECKING:
    pass
from ..experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Which configs of an experiment to compare.

    Attributes:
        experiment: its name.
        along: the field on the figure's axis, and its values.
        lines: the field that makes a line each, and its values.
        fields: what all configs have in common.
        paired: whether the lines are asked the same test queries, so that they can be set against each other query by
            query; `test` then keeps a table `wrong-answers` with the `query` of each.
    """

    experiment: str
    along: tuple[str, Sequence[Any]]
    lines: tuple[str, Sequence[Any]]
    fields: Mapping[str, Any] = field(default_factory=dict)
    paired: bool = False

    def configs(self, experiment: Experiment[Any], fixed: Mapping[str, Any], seed: int) -> Iterator[Config]:
        """All configs of one seed, those of a line together; a compared field that is fixed keeps those of its value.

        Raises:
            UserError: a compared field is fixed to another value, or a field does not exist or is out of bounds.
        """
        _check_seed(fixed)
        compared = {}
        for name, values in (self.lines, self.along):
            compared[name] = [value for value in values if str(value) == str(fixed.get(name, value))]
            if not compared[name]:
                allowed = ", ".join(map(str, values))
                raise UserError(f"{name}: got {fixed[name]!r}; compared are {allowed}")
        for cell in itertools.product(*compared.values()):
            fields = {**self.fields, **fixed, **dict(zip(compared, cell, strict=True)), "seed": seed}
            yield parse(experiment.config, fields)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What an experiment's defaults are measured against: another config, trained for as long as they are.

    Attributes:
        experiment: its name.
        fields: those that are the baseline's own, whatever the command fixes; neither of the data nor of the scores.
        figures: which of both runs' figures are put side by side.
    """

    experiment: str
    fields: Mapping[str, Any]
    figures: Sequence[str] = ()

    def configs(self, experiment: Experiment[Any], fixed: Mapping[str, Any], seed: int) -> Iterator[Config]:
        """The defaults of one seed, but for what is fixed; then the baseline, as long as it takes.

        Raises:
            UserError: a field does not exist or is out of bounds.
        """
        _check_seed(fixed)
        for fields in (fixed, {**fixed, **self.fields}):
            yield parse(experiment.config, {**fields, "seed": seed})


def _check_seed(fixed: Mapping[str, Any]) -> None:
    if "seed" in fixed:
        raise UserError(f"seed: got {fixed['seed']!r}; a comparison trains from seed 0 on, give SEEDS=how many")
