"""What a study optimises, one thing or several, and which of its trials wins.

Of several objectives there is no single best: what is left is the Pareto front, the trials that no other beats. The
front of one objective is its best trial, so that one is no case apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Objectives = Mapping[str, Literal["maximize", "minimize"]]
"""Metrics by name, those that matter most first, and whether more or less of each is better."""

Values = Mapping[str, float]
"""What one trial has of each objective."""

Choice = Callable[[Sequence[Values], Objectives], int]
"""The place, on a Pareto front that is not empty, of the trial that wins."""


def unbeaten(values: Sequence[Values], objectives: Objectives) -> list[int]:
    """The places of those that no other beats, the first of equal ones.

    One beats another if it is as good in every objective and better in one.
    """
    losses = _losses(values, objectives)

    def beaten(place: int) -> bool:
        mine = losses[place]
        return any(
            all(theirs <= own for theirs, own in zip(other, mine, strict=True)) and (other != mine or earlier < place)
            for earlier, other in enumerate(losses)
        )

    return [place for place in range(len(losses)) if not beaten(place)]


@dataclass(frozen=True)
class Within:
    """Chooses the best in the last objective of those that are good enough in the ones before it.

    Objective by objective, those stay that are within a share of the best; of the last one, the best wins. With
    `{"val/mean_squared_error": "minimize", "model/latent_size": "minimize"}` that is the smallest latent space whose
    error is at most 5 % above the least. A front's knee is not taken: it hangs on the scale of each axis and on how far
    the front's bad ends reach, so that a trial which nobody would choose can move it.

    Attributes:
        share: by how much one may be worse than the best, as a share of the best's size; 0 takes the best of the first.
    """

    share: float = 0.05

    def __call__(self, values: Sequence[Values], objectives: Objectives) -> int:
        """The place of the one that wins."""
        losses = _losses(values, objectives)
        *before, last = range(len(objectives))
        places = list(range(len(losses)))
        for objective in before:
            best = min(losses[place][objective] for place in places)
            places = [place for place in places if losses[place][objective] <= best + self.share * abs(best)]
        return min(places, key=lambda place: (losses[place][last], losses[place]))


def _losses(values: Sequence[Values], objectives: Objectives) -> list[tuple[float, ...]]:
    """The values in the order of the objectives, turned so that less is better."""
    signs = {name: 1 if direction == "minimize" else -1 for name, direction in objectives.items()}
    return [tuple(sign * one[name] for name, sign in signs.items()) for one in values]
