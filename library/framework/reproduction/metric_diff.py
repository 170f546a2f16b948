"""Whether two runs' metrics are the same to the last digit, and if not, where and by how much they differ."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..tracking.queries import MetricHistory


@dataclass(frozen=True)
class MetricDiff:
    """How two histories of one metric differ.

    Attributes:
        values: how many were compared.
        difference: the largest between two values of one step; 0 where all are the same, infinite where one is missing.
        step: the first at which they differ, with the values `then` and `now`; None where there is none.
    """

    metric: str
    values: int
    difference: float = 0.0
    step: int | None = None
    then: float | None = None
    now: float | None = None

    def __str__(self) -> str:
        if self.step is None:
            return "same"
        by = "" if math.isinf(self.difference) else f" by up to {self.difference:.3g}"
        # With all digits, as the last one matters.
        then, now = ("none" if value is None else repr(value) for value in (self.then, self.now))
        return f"differs{by}, first at step {self.step}: {then} then, {now} now"


@dataclass(frozen=True)
class RunDiff:
    """How two runs differ, metric by metric; those that differ first."""

    metrics: Sequence[MetricDiff]

    @property
    def is_same(self) -> bool:
        """Whether every value is the same to the last digit."""
        return all(one.step is None for one in self.metrics)

    def __str__(self) -> str:
        values, different = sum(one.values for one in self.metrics), [m for m in self.metrics if m.step is not None]
        if not different:
            return f"the same to the last digit: {values} values of {len(self.metrics)} metrics"
        largest = max(different, key=lambda one: one.difference)
        first = min((one.step for one in different if one.step), default=0)  # final scores have step 0
        by = "values missing" if math.isinf(largest.difference) else f"by up to {largest.difference:.3g}"
        counts = f"{len(different)} of {len(self.metrics)} metrics"
        return f"different: {counts}, first at step {first}, most in {largest.metric}: {by}"

    def table(self) -> dict[str, list[Any]]:
        """The columns of a table with a row for each metric."""
        names = ("metric", "values", "difference", "step", "then", "now")
        columns = {name: [getattr(one, name) for one in self.metrics] for name in names}
        return {"metric": columns.pop("metric"), "same": [one.step is None for one in self.metrics], **columns}


def compare_histories(
    then: Mapping[str, MetricHistory], now: Mapping[str, MetricHistory], until: int | None = None
) -> RunDiff:
    """Compares every metric of the first run, up to the last step that counts; further ones of the second do not."""

    def cut(history: MetricHistory) -> MetricHistory:
        return {step: value for step, value in history.items() if until is None or step <= until}

    both = {metric: (cut(history), cut(now.get(metric, {}))) for metric, history in then.items()}
    found = [_metric_diff(metric, *pair) for metric, pair in both.items() if pair[0]]
    return RunDiff(sorted(found, key=lambda one: (one.step is None, one.step or math.inf, one.metric)))


def _metric_diff(metric: str, then: MetricHistory, now: MetricHistory) -> MetricDiff:
    if len(then) == len(now) == 1:  # of the best epoch, which may differ: what matters is the value
        now = dict(zip(then, now.values(), strict=True))
    steps = sorted({*then, *now})
    apart = {step: _difference(then.get(step), now.get(step)) for step in steps}
    first = next((step for step in steps if apart[step]), None)
    if first is None:
        return MetricDiff(metric, len(steps))
    return MetricDiff(metric, len(steps), max(apart.values()), first, then.get(first), now.get(first))


def _difference(then: float | None, now: float | None) -> float:
    """Between two values, 0 only if they are equal; infinite where one is missing or one alone is not a number."""
    if then is None or now is None or math.isnan(then) != math.isnan(now):
        return math.inf
    return 0.0 if math.isnan(then) or then == now else abs(then - now)
