"""HTML that is escaped by construction: what is not `Markup` already is taken for text."""

import html
from collections.abc import Iterable, Sequence
from urllib.parse import quote

VOID = {"img", "meta", "br"}


class Markup(str):
    """Text that is HTML."""

    __slots__ = ()


def tag(name: str, /, *inner: object, **attributes: object) -> Markup:
    """An element: `tag("a", "text", href="...")`; an attribute ends in `_` where Python has a word of its name."""
    said = "".join(f' {key.rstrip("_")}="{html.escape(str(value))}"' for key, value in attributes.items())
    return Markup(f"<{name}{said}>" if name in VOID else f"<{name}{said}>{joined(inner)}</{name}>")


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Parts one after the other; those that are not markup are escaped."""
    return Markup(between.join(part if isinstance(part, Markup) else html.escape(str(part)) for part in parts))


def table(columns: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "") -> Markup:
    """A table that scrolls where it is wider than the page, without empty columns; nothing where there is no row."""
    cells = [list(row) for row in rows]
    if not cells:
        return Markup()
    filled = [place for place in range(len(columns)) if any(row[place] not in ("", None) for row in cells)]
    lines = [tag("tr", *(tag("td", row[place]) for place in filled)) for row in cells]
    head = tag("thead", tag("tr", *(tag("th", columns[place], scope="col") for place in filled)))
    titled = [tag("caption", caption)] if caption else []
    return tag("div", tag("table", *titled, head, tag("tbody", *lines)), class_="wide", tabindex="0")


def folded(summary: object, *inner: object) -> Markup:
    """What is shown when its summary is clicked."""
    return tag("details", tag("summary", summary), *inner)


class Links:
    """Addresses of MLflow's pages."""

    def __init__(self, ui: str) -> None:
        self._ui = f"{ui.rstrip('/')}/#"

    def run(self, experiment_id: str, run_id: str, text: object) -> Markup:
        """To a run."""
        return tag("a", text, href=f"{self._ui}/experiments/{quote(experiment_id)}/runs/{quote(run_id)}")

    def experiment(self, experiment_id: str, text: object) -> Markup:
        """To all runs of an experiment."""
        return tag("a", text, href=f"{self._ui}/experiments/{quote(experiment_id)}")

    def model(self, name: str, text: object, version: str = "") -> Markup:
        """To a registered model, or a version of it."""
        of_it = f"/versions/{quote(version)}" if version else ""
        return tag("a", text, href=f"{self._ui}/models/{quote(name, safe='')}{of_it}")
