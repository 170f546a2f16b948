"""Whether two courses of metrics are the same to the last digit, and if not, where and by how much they part."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..tracking.queries import Course


@dataclass(frozen=True)
class Likeness:
    """How alike two courses of one metric are.

    Attributes:
        metric: its name.
        values: how many were compared.
        difference: the largest between two values of one step; 0 where all are the same, infinite where one is missing.
        step: the first at which they differ; None where none does.
        then: the value at that step in the one, None where there was none.
        now: the same in the other.
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
        return f"differs{by}, first at step {self.step}: {_told(self.then)} then, {_told(self.now)} now"


@dataclass(frozen=True)
class Verdict:
    """What came of a comparison, metric by metric; those that differ first."""

    metrics: Sequence[Likeness]

    @property
    def is_same(self) -> bool:
        """Whether every value is the same to the last digit."""
        return all(one.step is None for one in self.metrics)

    def __str__(self) -> str:
        values, different = sum(one.values for one in self.metrics), [m for m in self.metrics if m.step is not None]
        if not different:
            return f"the same to the last digit: {values} values of {len(self.metrics)} metrics"
        largest = max(different, key=lambda one: one.difference)
        first = min(one.step for one in different if one.step is not None)
        by = "values missing" if math.isinf(largest.difference) else f"by up to {largest.difference:.3g}"
        told = f"{len(different)} of {len(self.metrics)} metrics, first at step {first}, most in {largest.metric}: {by}"
        return f"different: {told}"

    def table(self) -> dict[str, list[Any]]:
        """The columns of a table with a row for each metric."""
        names = ("metric", "values", "difference", "step", "then", "now")
        columns = {name: [getattr(one, name) for one in self.metrics] for name in names}
        return {"metric": columns.pop("metric"), "same": [one.step is None for one in self.metrics], **columns}


def compare(then: Mapping[str, Course], now: Mapping[str, Course], until: int | None = None) -> Verdict:
    """Compares every metric that there was, at every step; what there is besides is no difference.

    Args:
        then: courses by the metric's name.
        now: the same of the other run.
        until: the last step that counts; None is all.
    """
    cut = {metric: _cut(course, until) for metric, course in then.items()}
    found = [_likeness(metric, course, _cut(now.get(metric, {}), until)) for metric, course in cut.items() if course]
    return Verdict(sorted(found, key=lambda one: (one.step is None, one.step or 0, one.metric)))


def _cut(course: Course, until: int | None) -> Course:
    return {step: value for step, value in course.items() if until is None or step <= until}


def _likeness(metric: str, then: Course, now: Course) -> Likeness:
    if len(then) == len(now) == 1:  # of the best epoch, which may be another: what counts is the value
        now = dict(zip(then, now.values(), strict=True))
    steps = sorted({*then, *now})
    apart = {step: _difference(then.get(step), now.get(step)) for step in steps}
    first = next((step for step in steps if apart[step]), None)
    if first is None:
        return Likeness(metric, len(steps))
    return Likeness(metric, len(steps), max(apart.values()), first, then.get(first), now.get(first))


def _difference(then: float | None, now: float | None) -> float:
    """Between two values, 0 only if they are equal; infinite where one is missing or one alone is not a number."""
    if then is None or now is None or math.isnan(then) != math.isnan(now):
        return math.inf
    return 0.0 if math.isnan(then) or then == now else abs(then - now)


def _told(value: float | None) -> str:
    """All digits, as the last one counts."""
    return "none" if value is None else repr(value)
