"""Renders the report with Jinja2 and writes it in one step, so that nobody opens half a page."""

import base64
import io
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure
from PIL import Image

from .. import formatting, plots
from ..environment import command, git_tags, option
from ..errors import UserError
from ..objectives import Objectives
from ..tracking import queries
from ..tracking.store import Store
from . import collect
from .collect import Contents, ModelRuns, StudySummary

MAX_WIDTH = 640  # pixels of a stored figure on the page
MAX_BYTES = 3_000_000  # of all stored figures on the page
DPI = 80
FLOAT = re.compile(r"-?\d+(\.\d+(e[+-]\d+)?|e[+-]\d+)")  # as str writes a float


def write_report(out: str, ui: str, store: Store) -> Path:
    """Writes the report of an open store, with links to MLflow's pages at the address `ui`, and returns its path.

    The file is `report.html` in the store if none is given; UserError if it does not end in .html or cannot be written.
    """
    target = Path(out) if out else store.outputs / "report.html"
    if target.suffix != ".html":
        raise UserError(f"out: got {out!r}; allowed is a file that ends in .html")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        give = f"give another {option(out='file')}"
        raise UserError(f"out: {str(target)!r} cannot be written ({error.strerror}); {give}") from None
    page = render(collect.read(store), store, ui)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    part.write_text(page, encoding="utf-8")
    part.replace(target)
    return target


def render(contents: Contents, store: Store, ui: str) -> str:
    """The page as HTML; its links lead to the MLflow pages at the address `ui`."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"columns": columns, "number": formatting.number, "rounded": rounded}
    templates.tests["trial"] = collect.is_trial
    templates.globals |= {"collect": collect, "formatting": formatting, "command": command}
    templates.globals |= {"draw_history": draw_history, "draw_trials": draw_trials, "draw_front": draw_pareto_front}
    return templates.get_template("report.html.j2").render(
        contents=contents,
        runs={one.id: one for one in contents.records},
        store=store,
        ui=ui,
        mlflow=f"{ui.rstrip('/')}/#",
        git=git_tags(),
        now=datetime.now(UTC),
        stored_figure=StoredFigures().read,
    )


def columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The titles of a table's columns, without those of empty columns."""
    return [title for title in (rows[0] if rows else ()) if any(row[title] not in ("", None) for row in rows)]


def rounded(value: Any) -> str:
    """A value of a config or a trial: a float, or the text of one, to 4 digits."""
    return formatting.number(float(value), 4) if FLOAT.fullmatch(str(value)) else str(value)


class StoredFigures:
    """Figures that runs stored, shrunk to `MAX_WIDTH`; together they take at most `MAX_BYTES`."""

    def __init__(self) -> None:
        self._left = MAX_BYTES

    def read(self, run_id: str, name: str) -> str | None:
        """A figure as a data URI; empty where its file is missing or no image, None where it is too large."""
        raw, file = queries.figure_bytes(run_id, name), io.BytesIO()
        try:
            image = Image.open(io.BytesIO(raw)).convert("RGB")
        except (OSError, SyntaxError):  # Pillow raises the latter within a damaged PNG
            return ""
        image.thumbnail((MAX_WIDTH, image.height), Image.Resampling.BOX)
        image.save(file, "PNG", optimize=True)
        if file.tell() > self._left:
            return None
        self._left -= file.tell()
        return _data_uri(file)


def draw_history(model: ModelRuns) -> str:
    """The first objective of the best runs by epoch, as a data URI."""
    [objective] = model.objectives
    histories = {f"{rank}: {run.record.id[:8]}": run.history for rank, run in enumerate(model.best, start=1)}
    return _drawn(plots.metric_histories(histories, objective), model.objectives)


def draw_trials(study: StudySummary) -> str:
    """The first objective of a study by trial, as a data URI."""
    objective, direction = next(iter(study.objectives.items()))
    numbers, values, states = ([trial[key] for trial in study.trials] for key in ("trial", objective, "state"))
    return _drawn(plots.trials(numbers, values, states, objective, direction), study.objectives)


def draw_pareto_front(study: StudySummary) -> str:
    """All pairs of objectives of the completed trials, at least one, as a data URI."""
    values = {objective: [float(trial[objective]) for trial in study.completed] for objective in study.objectives}
    names = {place: str(trial["trial"]) for place, trial in enumerate(study.completed) if trial["on_front"]}
    return _drawn(plots.pareto_front(values, names), study.objectives)


def _drawn(figure: Figure, objectives: Objectives) -> str:
    for axes in figure.axes:
        # Scores to be maximized differ where they are close to 1, which a log axis would compress.
        for label, set_scale in ((axes.get_xlabel(), axes.set_xscale), (axes.get_ylabel(), axes.set_yscale)):
            if objectives.get(label) == "maximize":
                set_scale("linear")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight")
    return _data_uri(file)


def _data_uri(png: io.BytesIO) -> str:
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
