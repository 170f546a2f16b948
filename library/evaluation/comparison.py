"""Is one model better than another on the same examples, by more than chance?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.stats import binomtest


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
