"""The configs that a search space can give: one after the other, or the one nearest to given values.

A space is a function, so that it is known only by running it: here on trials that take their values from the caller.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial

from ..errors import UserError
from .search import Search

Choices = Callable[[str, BaseDistribution], Sequence[Any]]
"""The values, at least one, that a parameter is to take, by its name and distribution."""

BLOCK = 1000
"""Combinations that are shuffled at a time, and at most tried to express the defaults; 1000 take half a second."""


class ContinuousError(Exception):
    """A space has a parameter, which the error names, with more values than can be counted."""


def combinations(search: Search, choices: Choices) -> Iterator[Trial]:
    """Trials of a space, one for each combination of its parameters' values, the last parameter varying fastest.

    A parameter that exists for some values of others only is varied with these.
    """
    places: list[int] = []
    while True:
        sizes: list[int] = []

        def choose(name: str, distribution: BaseDistribution, sizes: list[int] = sizes) -> Any:
            values = choices(name, distribution)
            sizes.append(len(values))
            if len(sizes) > len(places):
                places.append(0)
            return values[places[len(sizes) - 1]]

        trial = optuna.create_study(sampler=_Chosen(choose)).ask()
        search.suggested(trial)
        yield trial
        del places[len(sizes) :]
        while places and places[-1] + 1 == sizes[len(places) - 1]:
            places.pop()
        if not places:
            return
        places[-1] += 1


def all_combinations(search: Search) -> Iterator[Trial]:
    """All combinations of a space, shuffled in blocks by the seed.

    Raises:
        ContinuousError: there is no end of them.
    """
    shuffle, trials = random.Random(search.base.config.seed).shuffle, combinations(search, values_of)  # noqa: S311
    while block := list(islice(trials, BLOCK)):
        shuffle(block)
        yield from block


def check_is_finite(search: Search) -> None:
    """Raises a UserError where a space cannot be searched as a grid."""
    try:
        next(combinations(search, values_of))
    except ContinuousError as error:
        raise UserError(
            f"sampler: got 'grid' with a search space in which {error} is continuous; "
            f"allowed are choices, integers and floats with a step"
        ) from None


def values_of(name: str, distribution: BaseDistribution) -> Sequence[Any]:
    """All values of a parameter; ContinuousError if it has more than can be counted."""
    match distribution:
        case CategoricalDistribution():
            return distribution.choices
        case IntDistribution():
            return range(distribution.low, distribution.high + 1, distribution.step)
        case FloatDistribution(step=float(step)):
            low, high = distribution.low, distribution.high
            return [min(low + place * step, high) for place in range(round((high - low) / step) + 1)]
    raise ContinuousError(name)


def fits(value: Any, distribution: BaseDistribution) -> bool:
    """Whether a distribution has a value."""
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (TypeError, ValueError):
        return False


def fit(search: Search, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The wanted parameters that fit the space, and the names of those that it suggests besides."""

    def choices(name: str, distribution: BaseDistribution) -> Sequence[Any]:
        return [wanted[name]] if name in wanted and fits(wanted[name], distribution) else _some(distribution)

    params = next(combinations(search, choices)).params
    kept = {name: value for name, value in params.items() if name in wanted and wanted[name] == value}
    return kept, [name for name in params if name not in kept]


def express(search: Search) -> tuple[dict[str, Any], list[str]]:
    """As `fit`, of the parameters that give the search's own config; they may have other names than its fields."""
    wanted = search.base.config.model_dump()

    def choices(name: str, distribution: BaseDistribution) -> Sequence[Any]:
        first = [wanted[name]] if name in wanted and fits(wanted[name], distribution) else []
        try:
            return [*first, *islice(values_of(name, distribution), BLOCK)]
        except ContinuousError:
            return first or _some(distribution)

    for trial in islice(combinations(search, choices), BLOCK):
        with suppress(UserError):  # of values that the config refuses
            if search.experiment(trial, in_full=True).config == search.base.config:
                return trial.params, []
    return fit(search, wanted)


def _some(distribution: BaseDistribution) -> Sequence[Any]:
    """Any value of a distribution."""
    return [distribution.low] if isinstance(distribution, FloatDistribution) else values_of("", distribution)[:1]


class _Chosen(BaseSampler):
    """Takes each value from a function of the parameter's name and distribution."""

    def __init__(self, choose: Callable[[str, BaseDistribution], Any]) -> None:
        self._choose = choose

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution) -> Any:
        return self._choose(param_name, param_distribution)
