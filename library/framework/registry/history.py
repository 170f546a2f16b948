"""Which version was in Production, since when and why: tags of the registered model, which travel with the store.

`production.0007` reads `2026-07-01T10:00:00+00:00 version 3: beats version 1: ...`, and `none` for the version where
none was left there.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Self

NUMBERED = re.compile(r"production\.(\d+)")
ENTRY = re.compile(r"(\S+\+00:00) (?:version (\d+)|none): (.*)", re.DOTALL)
ROLLED_BACK = "rolled back"
UNKNOWN = "changed by other means, or before this was recorded"
PROMOTING = "promoting"
"""The tag of a registered model while a version of it is being moved: its number, and the reason."""


@dataclass(frozen=True)
class ProductionPeriod:
    """A version's time in Production and why it began; without a version, a time in which none was there.

    It lasts where `until` is None.
    """

    version: str | None
    since: datetime
    until: datetime | None
    reason: str

    def of_deleted_version(self) -> Self:
        """The same, which says that its version was deleted since then."""
        return replace(self, reason=f"{self.reason}; version {self.version} was deleted")


def periods(tags: Mapping[str, str]) -> list[ProductionPeriod]:
    """All periods that a registered model's tags record, oldest first; without tags that another hand spoiled."""
    numbered = sorted((int(found[1]), value) for key, value in tags.items() if (found := NUMBERED.fullmatch(key)))
    past = list[ProductionPeriod]()
    for _, value in reversed(numbered):  # as a period lasts until the next begins
        with suppress(ValueError):
            if parts := ENTRY.fullmatch(value):
                since, until = datetime.fromisoformat(parts[1]), past[-1].since if past else None
                past.append(ProductionPeriod(parts[2], since, until, parts[3]))
    return past[::-1]


def moved_to(tags: Mapping[str, str], aliases: Mapping[str, object], now: str | None) -> str | None:
    """The version to which other means moved the alias `production`, while the stage stayed as it was.

    Takes the tags and aliases of the registered model, and the version that is in Production now.
    """
    past, named = periods(tags), str(aliases.get("production"))
    is_as_left = bool(past) and now == past[-1].version and PROMOTING not in tags
    return named if is_as_left and named != now else None


def entry(tags: Mapping[str, str], version: str | None, reason: str) -> tuple[str, str]:
    """The tag that records that a period begins now."""
    last = max((int(found[1]) for key in tags if (found := NUMBERED.fullmatch(key))), default=0)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"production.{last + 1:04}", f"{now} {f'version {version}' if version else 'none'}: {reason}"


def rolled_back(past: Sequence[ProductionPeriod]) -> set[str | None]:
    """The versions that a rollback left, without those that are or were back in Production since."""
    left: set[str | None] = set()
    for before, period in pairwise(past):
        if period.reason.startswith(ROLLED_BACK):
            left.add(before.version)
        left.discard(period.version)
    return left


def lineage(past: Sequence[ProductionPeriod]) -> list[str]:
    """The versions that led to the present one, oldest first: without those from which it was rolled back.

    So a second rollback goes further back, and never to what the first one left.
    """
    line: list[str] = []
    for period in past:
        if period.reason.startswith(ROLLED_BACK):
            while line and line.pop() != period.version:
                pass
        if period.version:
            line.append(period.version)
    return line
