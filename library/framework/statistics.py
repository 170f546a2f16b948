"""Is one model better than another on the same examples, by more than chance?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from scipy.stats import binomtest

from .experiment import Scores


@dataclass(frozen=True)
class Comparison:
    """A candidate against a holder, example by example.

    Attributes:
        examples: how many both were tested on.
        wins: of these, how many the candidate scored higher.
        losses: how many it scored lower.
        p_value: of the exact two-sided sign test.
    """

    examples: int
    wins: int
    losses: int
    p_value: float

    def is_better(self, alpha: float = 0.05) -> bool:
        """Whether the candidate wins more often than it loses, and that is no chance at this level."""
        return self.wins > self.losses and self.p_value < alpha

    def __str__(self) -> str:
        counts = f"better on {self.wins}, worse on {self.losses} of {self.examples} common test examples"
        return f"{counts}, p = {self.p_value:.2g}"


def compare(candidate: Mapping[str, float], holder: Mapping[str, float]) -> Comparison:
    """Compares the scores of examples that both have, higher being better.

    The exact sign test on the examples where they differ; where scores are right or wrong, that is McNemar's exact
    test (McNemar 1947; exact form in Fagerland, Lydersen and Laake 2013, eq. 2).
    """
    common = candidate.keys() & holder.keys()
    wins = sum(candidate[name] > holder[name] for name in common)
    losses = sum(candidate[name] < holder[name] for name in common)
    return Comparison(len(common), wins, losses, sign_test(wins, losses))


def sign_test(wins: int, losses: int) -> float:
    """The two-sided p-value of so uneven a count if both were equally likely."""
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); good near 0 and 1, where the textbook one is not."""
    low, high = binomtest(successes, n).proportion_ci(method="wilson")
    return float(low), float(high)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of at least one value: Wilson's if all are 0 or 1, else by its standard error."""
    if set(values) <= {0, 1}:
        return wilson_interval(round(sum(values)), len(values))
    within = 1.96 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return fmean(values) - within, fmean(values) + within


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


@dataclass(frozen=True)
class Estimate:
    """An estimate, which may be a little below 0 where the truth is 0, and its standard error."""

    value: float
    standard_error: float


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The squared Frechet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, eq. 6).

    It depends on the network that the features are from and, upwards, on how few images there are: compare values
    of one network and one n only.

    Args:
        a: `[images, features]`.
        b: `[images, features]`; the number of images may differ.

    Raises:
        ValueError: a set has fewer than two images, or the features differ in number.
    """
    if min(len(a), len(b)) < 2 or a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"frechet distance: got {a.shape} and {b.shape}; allowed are two images or more, same features"
        )
    a, b = a.astype(np.float64), b.astype(np.float64)
    covariance_a, covariance_b = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (a, b))
    # The trace of the product's square root: the roots of its eigenvalues, which are real and not negative.
    eigenvalues = np.linalg.eigvals(covariance_a @ covariance_b)
    cross = np.sqrt(np.clip(eigenvalues.real, 0, None)).sum()
    means = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    return float(means + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross)
