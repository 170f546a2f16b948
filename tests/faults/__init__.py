"""What happens to stores, inputs and processes, and must cost nothing; `make faults` does it and prints the cost."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

Row = tuple[str, str, str]
"""What is done, what must be, and what was measured."""


@dataclass
class Faults:
    """How many faults of a kind, drawn from a seed; in `found` those that cost something, a line each."""

    seed: int
    scale: float
    folder: Path
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311

    def count(self, full: int) -> int:
        """The number of times, of what is done so often in full."""
        return max(1, round(full * self.scale))

    def add(self, number: object, what: str) -> None:
        """Notes what a fault cost, so that it is printed at once and can be repeated."""
        self.found.append(what)
        print(f"FAULT seed {self.seed}, number {number}: {what}", flush=True)

    @property
    def measured(self) -> str:
        """How many cost something."""
        return f"{len(self.found)} faults" + (f", the first: {self.found[0][:200]}" if self.found else "")


Part = Callable[[Faults], Iterator[Row]]
