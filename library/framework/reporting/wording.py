"""How scores, times and numbers are written on the page."""

from datetime import UTC, datetime
from typing import Any

from ..statistics import Score
from .markup import Markup, tag


def name_of(one: Score | None) -> str:
    """What a score is called."""
    return one.name.removeprefix("test/").replace("_", " ") if one else "score"


def score(one: Score | None) -> Markup:
    """A score with its interval."""
    return tag("span", one.told, class_="tight") if one else Markup("none")


def moment(when: datetime) -> Markup:
    """A point of time, in UTC, to the minute."""
    return tag("time", when.astimezone(UTC).strftime("%Y-%m-%d %H:%M"))


def number(value: Any) -> str:
    """A cell of a table that a run keeps."""
    if isinstance(value, list):
        return ", ".join(map(number, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1e5 else f"{value:.5g}"
    return "" if value is None else str(value)
