"""Values with their uncertainty, and whether one model is better than another by more than chance.

scipy is imported where it computes: it takes as long as a list of all registered models.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Self

import numpy as np

from .formatting import number


@dataclass(frozen=True)
class Estimate:
    """A value and its uncertainty: a standard error (else nan) or a 95 % interval (else None), where either is known.

    An unbiased estimate may be a little below 0 where the truth is 0. The name is its metric's, as in `test/accuracy`.
    """

    value: float
    standard_error: float = math.nan
    low: float | None = None
    high: float | None = None
    name: str = ""

    @classmethod
    def of(cls, metrics: Mapping[str, float], name: str) -> Self:
        """A metric with the interval or the standard error that stands beside it; KeyError where there is no metric."""
        error = metrics.get(f"{name}_standard_error", math.nan)
        low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
        if low is None and not math.isnan(error):
            low, high = metrics[name] - 1.96 * error, metrics[name] + 1.96 * error
        return cls(metrics[name], error, low, high, name)

    @property
    def formatted(self) -> str:
        """The value and its interval, as in `0.98 (0.97 to 0.99)`."""
        value, low, high = (number(one, 4) for one in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})" if low and high else value

    @property
    def metrics(self) -> dict[str, float]:
        """The value and its interval by the names of their metrics: what `of` reads."""
        parts = {self.name: self.value, f"{self.name}_low": self.low, f"{self.name}_high": self.high}
        return {name: part for name, part in parts.items() if part is not None}

    def __str__(self) -> str:
        return f"{self.name.removeprefix('test/')} {self.formatted}".strip()


def estimates(metrics: Mapping[str, float]) -> list[Estimate]:
    """All metrics, each with the interval that stands beside it, which is none of its own."""
    found = {name: Estimate.of(metrics, name) for name in metrics}
    bounded = [name for name, one in found.items() if one.low is not None and one.high is not None]
    parts = {f"{name}_{part}" for name in bounded for part in ("low", "high", "standard_error")}
    return [one for name, one in found.items() if name not in parts]


@dataclass(frozen=True)
class PairedComparison:
    """A candidate against a champion, example by example: on how many of the common ones it scored higher or lower.

    The p-value is that of the exact two-sided sign test.
    """

    examples: int
    wins: int
    losses: int
    p_value: float

    def is_better(self, alpha: float = 0.05) -> bool:
        """Whether the candidate wins more often than it loses, and not by chance at this level."""
        return self.wins > self.losses and self.p_value < alpha

    def __str__(self) -> str:
        counts = f"better on {self.wins}, worse on {self.losses} of {self.examples} common test examples"
        return f"{counts}, p = {self.p_value:.2g}"


def compare_examples(candidate: Mapping[str, float], champion: Mapping[str, float]) -> PairedComparison:
    """Compares the scores of examples that both have, higher being better.

    The exact sign test on the examples where they differ; where scores are right or wrong, that is McNemar's exact
    test (McNemar 1947; exact form in Fagerland, Lydersen and Laake 2013, eq. 2).
    """
    common = candidate.keys() & champion.keys()
    wins = sum(candidate[name] > champion[name] for name in common)
    losses = sum(candidate[name] < champion[name] for name in common)
    return PairedComparison(len(common), wins, losses, sign_test(wins, losses))


def sign_test(wins: int, losses: int) -> float:
    """The two-sided p-value of so uneven a count if both were equally likely."""
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); good near 0 and 1, where the textbook interval is not."""
    from scipy.stats import binomtest

    low, high = binomtest(successes, n).proportion_ci(method="wilson")
    return float(low), float(high)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of at least one value: Wilson's if all are 0 or 1, else by its standard error."""
    if set(values) <= {0, 1}:
        return wilson_interval(round(sum(values)), len(values))
    within = 1.96 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return fmean(values) - within, fmean(values) + within


def estimate_of_scores(scores: Mapping[str, float], name: str = "", value: float | None = None) -> Estimate:
    """The mean of per-example scores, at least one, with its 95 % interval.

    It is that of a metric, up to its sign, whose own name and value are taken where they are given.
    """
    values = list(scores.values())
    mean = fmean(values)
    value = mean if value is None else value
    low, high = mean_interval(values if value * mean >= 0 else [-one for one in values])
    return Estimate(value, low=low, high=high, name=name or "test/mean_score")


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The squared Frechet distance between Gaussians fitted to `[images, features]` (Heusel et al. 2017, eq. 6).

    It depends on the network that the features are from and, upwards, on how few images there are: compare values
    of one network and one n only. ValueError for fewer than two images, or features that differ in number.
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
