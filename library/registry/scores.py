"""The one score that a version is known by: the mean of what promotion compares, under its metric's name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from library.experiment import Scores


@dataclass(frozen=True)
class Score:
    """A metric's value and, where it is known, its 95 % interval."""

    name: str
    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        return f"{self.name.removeprefix('test/')} {self.told}"

    @property
    def told(self) -> str:
        """The value and its interval."""
        within = "" if self.low is None or self.high is None else f" ({self.low:.4g} to {self.high:.4g})"
        return f"{self.value:.4g}{within}"


def headline(scores: Scores) -> dict[str, Any]:
    """Tags that name the metric which is the mean of the outcomes, up to its sign, and give its 95 % interval.

    Where no metric is that, `test/outcome` is added.
    """
    if not scores.outcomes:
        return {}
    from library.evaluation.comparison import interval

    values = list(scores.outcomes.values())
    mean = fmean(values)
    named = (name for name, value in scores.metrics.items() if math.isclose(abs(value), abs(mean), rel_tol=1e-5))
    name = next(named, "test/outcome")
    value = scores.metrics.get(name, mean)
    low, high = interval(values if value * mean >= 0 else [-one for one in values])
    return {"score": name, name: value, f"{name}_low": low, f"{name}_high": high}


def of_tags(tags: Mapping[str, str]) -> Score | None:
    """The score of a version by its tags; of one from before it was named, the first that has an interval."""
    bounded = (name for name in sorted(tags) if f"{name}_low" in tags and f"{name}_high" in tags)
    name = tags.get("score") or next(bounded, None)
    if name is None:
        return None
    low, high = (float(tags[key]) if key in tags else None for key in (f"{name}_low", f"{name}_high"))
    return Score(name, float(tags[name]), low, high)
