"""An experiment's defaults measured against a baseline: trained for the same time, in one run, scored alike.

The defaults go first; how long they took is the time that the baseline has. What was trained before is not trained
again, as in other comparisons.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

from .. import discovery
from ..options import ComparisonOptions
from ..plots import pictures, scores
from ..run import columns_of
from ..statistics import Estimate
from ..tracking import queries
from ..tracking.store import Store
from .grid import Row
from .spec import Baseline
from .trainings import Trained, started, train_once

ABOUT = ("config", "seed", "parameters", "seconds")  # the first columns of a row, before its scores
ERROR = "_standard_error"


def measure(
    name: str, baseline: Baseline, fixed: Mapping[str, Any], options: ComparisonOptions, store: Store
) -> list[Row]:
    """Trains and tests the defaults and the baseline from every seed, and returns a row for each training.

    A row holds `config` (default or baseline), `seed`, `parameters`, `seconds`, and all test scores that both have,
    without their `test/`; of a score's standard error, after the score.
    """
    experiment = discovery.find(baseline.experiment)
    configs = [list(baseline.configs(experiment, fixed, seed)) for seed in range(options.seeds)]
    trained: dict[tuple[str, int], Trained] = {}
    with started(name, baseline, [config for pair in configs for config in pair], fixed, options, store) as run:
        for seed, (ours, theirs) in enumerate(configs):
            own = train_once(baseline.experiment, experiment, ours, f"default, seed {seed}", store, run)
            # Rounded, so that a time which was read back from the store names the same config.
            minutes = max(round(own.metrics["time/training_seconds"] / 60, 3), 0.001)
            timed = theirs.model_copy(update={"minutes": minutes})
            trained["default", seed] = own
            trained["baseline", seed] = train_once(
                baseline.experiment, experiment, timed, f"baseline, seed {seed}", store, run
            )
            rows = _rows(trained)
            run.log_table("comparison", columns_of(rows))
        run.log_figure("scores", scores({_label(row): _estimates(row) for row in rows}))
        for figure in baseline.figures:
            shown = {f"{which}, seed {seed}": one.run for (which, seed), one in trained.items()}
            run.log_figure(figure, pictures({label: queries.read_figure(one, figure) for label, one in shown.items()}))
    return rows


def _rows(trained: Mapping[tuple[str, int], Trained]) -> list[Row]:
    common = set.intersection(*(set(one.metrics) for one in trained.values()))
    names = sorted(name for name in common if name.startswith("test/") and name.count("/") == 1)
    beside = [name for score in names if ERROR not in score for name in names if _scored(name) == score]
    rows = []
    for (which, seed), one in trained.items():
        about = (which, seed, one.metrics["model/parameters"], one.metrics["time/training_seconds"])
        told = {name.removeprefix("test/"): one.metrics[name] for name in beside}
        rows.append({**dict(zip(ABOUT, about, strict=True)), **told})
    return rows


def _scored(name: str) -> str:
    """What a standard error is of; another score's own name."""
    return name.replace(ERROR, "")


def _label(row: Row) -> str:
    return f"{row['config']}, seed {row['seed']}"


def _estimates(row: Row) -> dict[str, Estimate]:
    """The scores of a row under names of short lines; the error is nan where none is known."""
    errors = {_scored(name): value for name, value in row.items() if ERROR in name}
    names = [name for name in list(row)[len(ABOUT) :] if ERROR not in name]
    return {_broken(name): Estimate(row[name], errors.get(name, float("nan"))) for name in names}


def _broken(name: str) -> str:
    return textwrap.fill(name.replace("_", " "), 22, break_on_hyphens=False)
