"""What a study optimises, one metric or several, and which of its trials wins.

Of several objectives there is no single best: what is left is the Pareto front, the non-dominated trials. The front of
one objective is its best trial, so that one objective is no special case.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["maximize", "minimize"]

Objectives = Mapping[str, Direction]
"""Metrics by name, the most important first, and whether more or less of each is better."""

Values = Mapping[str, float]
"""A trial's value of each objective."""

Selection = Callable[[Sequence[Values], Objectives], int]
"""The index, in a Pareto front that is not empty, of the trial that wins."""


def pareto_front(values: Sequence[Values], objectives: Objectives) -> list[int]:
    """The indices of the non-dominated trials, the first of equal ones.

    One trial dominates another if it is as good in every objective and better in one.
    """
    losses = signed(values, objectives)

    def is_dominated(index: int) -> bool:
        own = losses[index]
        return any(
            all(a <= b for a, b in zip(other, own, strict=True)) and (other != own or earlier < index)
            for earlier, other in enumerate(losses)
        )

    return [index for index in range(len(losses)) if not is_dominated(index)]


@dataclass(frozen=True)
class BestWithinTolerance:
    """Selects the best in the last objective among those that are good enough in the ones before it.

    Objective by objective, trials stay that are within a tolerance of the best; of the last one, the best wins. With
    `{"val/mean_squared_error": "minimize", "model/latent_size": "minimize"}` that is the smallest latent space whose
    error is at most 5 % above the least. A front's knee is not taken: it depends on the scale of each axis and on how
    far the front's bad ends reach, so that a trial which nobody would select can move it.

    Attributes:
        tolerance: by how much a trial may be worse than the best, as a share of the best's size; 0 takes the best of
            the first objective.
    """

    tolerance: float = 0.05

    def __call__(self, values: Sequence[Values], objectives: Objectives) -> int:
        """The index of the trial that wins."""
        losses = signed(values, objectives)
        *before, last = range(len(objectives))
        left = list(range(len(losses)))
        for objective in before:
            best = min(losses[index][objective] for index in left)
            left = [index for index in left if losses[index][objective] <= best + self.tolerance * abs(best)]
        return min(left, key=lambda index: (losses[index][last], losses[index]))


def signed(values: Sequence[Values], objectives: Objectives) -> list[tuple[float, ...]]:
    """The values in the order of the objectives, with their signs changed where more is better: less always is."""
    signs = {name: 1 if direction == "minimize" else -1 for name, direction in objectives.items()}
    return [tuple(sign * one[name] for name, sign in signs.items()) for one in values]
