"""The page as a file: what is around its sections, and the file that it is written to in one go."""

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .. import environment
from ..errors import UserError
from ..options import PageOptions
from ..tracking.store import Store
from . import sections
from .collect import Contents, read, statuses
from .markup import Links, Markup, joined, tag
from .pictures import Pictures
from .sections import Telling

STYLE = Path(__file__).with_name("style.css")


def write(options: PageOptions, store: Store) -> Path:
    """Writes the page of a store and returns where it is.

    Raises:
        UserError: the file does not end in .html, or cannot be written.
    """
    target = Path(options.out) if options.out else store.root / "report.html"
    if target.suffix != ".html":
        raise UserError(f"out: got {options.out!r}; allowed is a file that ends in .html")
    _check_writable(target)
    here = store.variable
    telling = Telling(read(store), Links(options.ui), Pictures(), lambda run: f"make repeat RUN={run}{here}")
    page = _page(telling, store, options.ui)
    # In one go: who has it open or copies it never sees half of it.
    part = target.with_name(f".{target.name}.{os.getpid()}")
    part.write_text(page, encoding="utf-8")
    part.replace(target)
    return target


def _check_writable(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise UserError(f"out: {str(target)!r} cannot be written ({error.strerror}); give another OUT=") from None


def _page(telling: Telling, store: Store, ui: str) -> str:
    title = f"Report of {store.root.name}"
    told = [(name, inner) for name, inner in _sections(telling) if inner]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    parts = (tag("section", tag("h2", name), inner, id=_anchor(name)) for name, inner in told)
    heading = _heading(telling.contents, store, title, ui, [name for name, _ in told])
    body = tag("body", heading, tag("main", *parts))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _sections(telling: Telling) -> list[tuple[str, Markup]]:
    contents = telling.contents
    return [
        ("Registered models", sections.models(telling)),
        ("Best runs", joined(sections.kind(telling, one) for one in contents.kinds)),
        ("Studies", joined(sections.study(telling, name, past) for name, past in contents.studies.items())),
        ("Comparisons", joined(sections.comparison(telling, one) for one in contents.comparisons)),
        ("Repeated runs", sections.repeats(telling)),
        ("Runs that did not finish", sections.unfinished(telling)),
    ]


def _heading(contents: Contents, store: Store, title: str, ui: str, names: Sequence[str]) -> Markup:
    git, now = environment.git(), datetime.now(UTC)
    changed = ", changed since" if git["git.dirty"] == "true" else ""
    counted = f"{len(contents.records):,} runs: {statuses(contents.records)}" if contents.records else "No run yet"
    written = f"Written {now:%Y-%m-%d %H:%M} UTC by commit {git['git.commit'][:12]}{changed}, of {store.root}."
    links = (tag("a", name, href=f"#{_anchor(name)}") for name in names)
    lead = tag("p", "Links lead to ", tag("a", ui, href=ui), ", where make ui shows the store. Times are UTC.")
    nothing = [tag("p", "Nothing is in this store yet: make train-seq2seq or make tune-seq2seq first.")]
    return tag("header", tag("h1", title), tag("p", written), tag("p", f"{counted}."),
               *([lead, tag("nav", joined(links, " · "))] if names else nothing))  # fmt: skip


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
