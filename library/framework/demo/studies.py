"""The tab of studies: the history of one and the importance of its parameters, read again while it runs."""

from typing import Any

import gradio as gr
import pandas as pd

from ..environment import command
from ..tracking.store import Store
from ..tuning.results import StudyResults, stored_studies

SECONDS = 3
"""Time between two readings of a study."""
MIN_RANGE = 10
"""Trials that the history has room for at least: on a shorter axis there are ticks at half trials."""


def build(store: Store, opened: Any) -> Any:
    """A choice of study, and its figures; a sentence as long as there is none.

    Returns:
        The event that the figures were read for the first time, after `opened`, the event that the page was opened.
    """
    from .page import sentences

    message, text = gr.Markdown(), gr.Markdown()
    study = gr.Dropdown([], label="Study", interactive=True)
    history = gr.ScatterPlot(x="trial", y="value", color="state", title="History", height=280, elem_classes="when-full")
    importances = gr.BarPlot(
        x="parameter", y="importance", title="Importance of parameters", height=240, y_lim=[0, 1], sort="-y",
        elem_classes="when-full",
    )  # fmt: skip
    computed: dict[tuple[str, int], Any] = {}  # they take seconds where there are many trials

    def read(selected: str | None) -> tuple[Any, ...]:
        found = stored_studies(store)
        if not found:
            none = f"There is no study with a finished trial yet: `{command('tune', 'seq2seq')}` runs one."
            return gr.Dropdown(choices=[], value=None), None, None, none
        name = selected if selected in found else list(found)[-1]
        results = found[name]
        objective = next(iter(results.objectives))
        trials = results.trials().rename(columns={objective: "value"})
        if (name, len(trials)) not in computed:
            computed[name, len(trials)] = _bars(results, objective)
        shown = trials[["trial", "value", "state"]].dropna()
        points = gr.ScatterPlot(shown, y_title=objective, x_lim=[-1, max(MIN_RANGE, trials["trial"].max() + 1)])
        names, about = gr.Dropdown(choices=list(found), value=name), _about(name, results, len(trials))
        return names, points, computed[name, len(trials)], about

    refresh: dict[str, Any] = {
        "fn": sentences(read, 4),
        "inputs": [study],
        "outputs": [study, history, importances, text, message],
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    gr.on([gr.Timer(SECONDS).tick, study.input], **refresh)
    return opened(**refresh)


def _bars(results: StudyResults, objective: str) -> pd.DataFrame | None:
    """How important each parameter is, None where too few trials tell."""
    shares = results.importances(objective)
    bars = pd.DataFrame({"parameter": shares.index.astype(str), "importance": shares.to_numpy(dtype=float)})
    return bars if len(bars) else None


def _about(name: str, results: StudyResults, finished: int) -> str:
    objective, direction = next(iter(results.objectives.items()))
    best = results.best()
    text = f"{finished} finished trials of `{name}`, {direction} `{objective}`"
    return text + (f"; the best is trial {best[0].number}: {best[0].values[0]:.4g}" if best else "")
