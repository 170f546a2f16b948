"""An experiment's defaults measured against a baseline: trained for the same time, in one run, scored alike.

The defaults are trained first, from every seed; their duration is the time that the baseline gets. What was trained
before is not trained again, as in other comparisons.
"""

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..experiment import Experiment
from ..options import EngineOptions
from ..plots import scores, side_by_side
from ..run import columns_of
from ..statistics import Estimate
from ..tracking.queries import read_figure
from ..tracking.store import Store
from .spec import Baseline
from .trainings import Row, Trained, parent_run, train_all

ABOUT = ("config", "seed", "parameters", "seconds")  # the first columns of a row, before its scores
ERROR = "_standard_error"


@dataclass(frozen=True)
class BaselineResult:
    """A row for each training of the defaults and of the baseline.

    Each has `config` (default or baseline), `seed`, `parameters`, `seconds`, and all test scores that both have,
    without their `test/`; a score's standard error stands after the score.
    """

    rows: Sequence[Row]

    def markdown(self) -> str:
        """A column for each training, to be copied; with one seed, the last column is the ratio of the two."""
        first, second = self.rows[:2]
        ratios = ["default / baseline"] * (len(self.rows) == 2)
        titles = [*(f"{row['config']}, seed {row['seed']}" for row in self.rows), *ratios]
        lines = [f"| | {' | '.join(titles)} |", "|---" * (1 + len(titles)) + "|"]
        for name in list(first)[2:]:
            if ERROR not in name:
                ratio = f"{first[name] / second[name]:.3f}" if second[name] else "-"
                cells = [*(_formatted(row, name) for row in self.rows), *[ratio] * len(ratios)]
                lines.append(f"| {name} | {' | '.join(cells)} |")
        return "\n".join(lines)


def measure(
    baseline: Baseline, store: Store, name: str, seeds: int, options: EngineOptions, fixed: Mapping[str, Any]
) -> BaselineResult:
    """Trains and tests the defaults and the baseline from every seed."""
    pairs = [list(baseline.experiments(fixed, seed)) for seed in range(seeds)]
    trained: dict[tuple[str, int], Trained] = {}
    with parent_run(name, [one for pair in pairs for one in pair], fixed, seeds, store, options) as run:
        own = [(f"default, seed {seed}", default) for seed, (default, _) in enumerate(pairs)]
        defaults = list(train_all(own, store, run, options))
        timed = [
            (f"baseline, seed {seed}", _as_long(other, one).reuse(default))
            for seed, ((default, other), one) in enumerate(zip(pairs, defaults, strict=True))
        ]
        with closing(train_all(timed, store, run, options)) as results:
            for seed, one in enumerate(results):
                trained |= {("default", seed): defaults[seed], ("baseline", seed): one}
                rows = _rows(trained)
                run.log_table("comparison", columns_of(rows))
        run.log_figure("scores", scores({f"{row['config']}, seed {row['seed']}": _estimates(row) for row in rows}))
        for figure in baseline.figures:
            runs = {f"{which}, seed {seed}": one.run for (which, seed), one in trained.items()}
            run.log_figure(figure, side_by_side({label: read_figure(one, figure) for label, one in runs.items()}))
    return BaselineResult(rows)


def _as_long(experiment: Experiment, trained: Trained) -> Experiment:
    """The experiment for as long as a training; rounded, so that a duration from the store names the same config."""
    minutes = max(round(trained.metrics["time/training_seconds"] / 60, 3), 0.001)
    return type(experiment)(experiment.config.model_copy(update={"minutes": minutes}))


def _rows(trained: Mapping[tuple[str, int], Trained]) -> list[Row]:
    common = set.intersection(*(set(one.metrics) for one in trained.values()))
    names = sorted(name for name in common if name.startswith("test/") and name.count("/") == 1)
    ordered = [name for score in names if ERROR not in score for name in names if name.replace(ERROR, "") == score]
    rows = []
    for (which, seed), one in trained.items():
        about = (which, seed, one.metrics["model/parameters"], one.metrics["time/training_seconds"])
        values = {name.removeprefix("test/"): one.score(name) for name in ordered}
        rows.append({**dict(zip(ABOUT, about, strict=True)), **values})
    return rows


def _estimates(row: Row) -> dict[str, Estimate]:
    """The scores of a row under names of short lines; the error is nan where none is known."""
    errors = {name.replace(ERROR, ""): value for name, value in row.items() if ERROR in name}
    names = [name for name in list(row)[len(ABOUT) :] if ERROR not in name]
    values = {name: Estimate(row[name], errors.get(name, float("nan"))) for name in names}
    return {textwrap.fill(name.replace("_", " "), 22, break_on_hyphens=False): one for name, one in values.items()}


def _formatted(row: Row, name: str) -> str:
    """A value with its standard error, where that is among the others."""
    errors = [row[other] for other in row if other != name and other.replace(ERROR, "") == name]
    return " ± ".join(f"{value:,.0f}" if value >= 1000 else f"{value:.4g}" for value in [row[name], *errors])
