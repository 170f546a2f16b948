"""The page of a store: all that it has is on it, escaped, with its figures within; what is missing leaves no gap."""

import base64
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import mlflow
import numpy as np
import optuna
import pytest
from mlflow.entities import Metric, Param, RunTag

from library.framework import discovery, plots
from library.framework.cli.main import main
from library.framework.experiment import ModelArtifacts, TestResult
from library.framework.registry import artifacts, stages
from library.framework.registry.overview import VersionRecord
from library.framework.reporting import collect, html
from library.framework.tracking import mlflow_run, queries
from library.framework.tracking.store import Store
from library.framework.tuning.search import storage_of
from tests import browser
from tests.http_client import Served

SERVED = Path(__file__).parents[2] / "tiny_served.py"
SEQ2SEQ = discovery.find("seq2seq")
MODEL = SEQ2SEQ().model_name
VOID = {"meta", "img", "br"}


class Read(HTMLParser):
    """What is on a page; elements that are not closed in order are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.images: list[tuple[str, bytes]] = []
        self.tags: set[str] = set()
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "a":
            self.links.append(str(given["href"]))
        if tag == "img":
            kind, data = str(given["src"]).split(",")
            assert kind == "data:image/png;base64"
            self.images.append((str(given["alt"]), base64.b64decode(data)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += f"{data} "


def page(store: Store, ui: str = "http://127.0.0.1:5000") -> Read:
    """What is on the page of a store."""
    return Read(html.write_report("", ui, store).read_text(encoding="utf-8"))


def trained(store: Store, name: str, history: list[float], exact: float, **fields: object) -> str:
    """A run as training seq2seq leaves it, but for the training; returns its id."""
    config = SEQ2SEQ.Config(**fields)
    with mlflow_run.start_run(store, "seq2seq", name, config=config, tags={"command": f"train it & {name}"}) as run:
        for epoch, value in enumerate(history, start=1):
            run.log_metrics({"val/exact_match": value}, step=epoch)
        bounds = {"test/exact_match_low": exact - 0.1, "test/exact_match_high": exact + 0.1}
        run.log_metrics({"test/exact_match": exact, **bounds}, step=1)
    return run.id


def register(store: Store, folder: Path, outcomes: str) -> str:
    """A registered version of it, promoted; returns its run."""
    (folder / "units.txt").write_text("7")
    with mlflow_run.start_run(store, "seq2seq", "registered", config=SEQ2SEQ.Config()) as run:
        run.log_metrics({"val/exact_match": 0.75}, step=1)
        run.log_figure("groups", plots.side_by_side({"grey": np.zeros((8, 8, 3))}))
        right = {str(i): float(one) for i, one in enumerate(outcomes)}
        scores = TestResult({"test/exact_match": sum(right.values()) / len(right)}, right, "test/exact_match")
        run.log_metrics(scores.metrics, step=1)
        run.log_json(artifacts.PER_EXAMPLE_SCORES, right)
        package = ModelArtifacts(SERVED, {"units": folder / "units.txt"}, example=["?"])
        version = artifacts.register(MODEL, package, scores, {})
    stages.promote_if_better(MODEL, version)
    return run.id


def test_text_is_escaped_and_empty_columns_and_tables_are_left_out(store: Store) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    run = queries.RunRecord("ab", "<e>", "1", "<r>", "KILLED", began, None, {}, {"command": "a&b", "reason": "<b>"}, {})
    tables = {"full": {"columns": ["x", "<y>", "none"], "data": [["<1>", "", ""], [2, "z", ""]]},
              "empty": {"columns": ["x"], "data": []}}  # fmt: skip
    comparison = collect.ComparisonSummary('a"b', run, tables, [])
    text = html.render(collect.Contents([run], comparisons=[comparison]), store, "http://h:1/")
    assert text.count("<td>") == 4
    assert "<caption>empty" not in text
    assert all(one in text for one in ("<td>&lt;1&gt;</td>", ">&lt;y&gt;</th>", "a&#34;b", "a&amp;b"))
    assert '<a href="http://h:1/#/experiments/1/runs/ab">&lt;r&gt; ab</a>' in text
    version = VersionRecord("ä/b", "3", None, None, "cd", began, None)
    text = html.render(collect.Contents([run], [version], unfinished=[run]), store, "http://h:1")
    assert '<a href="http://h:1/#/models/%C3%A4%2Fb/versions/3">3</a>' in text
    assert "<td>&lt;b&gt;</td>" in text
    Read(text)


def test_an_empty_store_has_a_page_that_says_what_to_do(store: Store) -> None:
    read = page(store)
    assert "Nothing is in this store yet: train or tune an experiment first." in read.words
    assert (read.images, read.links) == ([], [])


def test_the_best_runs_by_validation_are_told_with_scores_fields_and_commands(store: Store) -> None:
    ids = {
        name: trained(store, name, history, exact, seed=seed)
        for seed, (name, history, exact) in enumerate(
            [("lösung <b>&\"'", [0.2, 0.9], 0.5), ("second", [0.8, 0.1], 0.875), ("worst", [0.1], 0.25)]
        )
    }
    read = page(store, ui="http://there:99")
    words = " ".join(read.words.split())
    assert "3 runs: 3 finished." in words
    places = [words.index(f"{name} {run[:8]}") for name, run in ids.items()]
    assert places == sorted(places)
    assert "0.5 (0.4 to 0.6)" in words
    assert re.search(r"second \w{8} 0\.875 \(0\.775 to 0\.975\) 0\.8 seed=1 \d+ seconds", words)
    assert f"make repeat RUN={ids['second']} STORE={store.root}" in words
    assert "train it & second" in words
    experiment = queries.read_run(ids["worst"]).experiment_id
    assert f"http://there:99/#/experiments/{experiment}/runs/{ids['worst']}" in read.links
    [(told, png)] = read.images
    assert told == f"{MODEL}: val/exact_match of these runs by epoch"
    assert png.startswith(b"\x89PNG")
    assert "script" not in read.tags


def test_versions_their_history_and_a_figure_of_their_run_are_shown(store: Store, tmp_path: Path) -> None:
    first = register(store, tmp_path, "0" * 10)
    second = register(store, tmp_path, "1" * 10)
    read = page(store)
    words = " ".join(read.words.split())
    assert re.search(rf"{MODEL} 2 Production exact match 1 \([\d.]+ to 1\) " + second[:8], words)
    assert re.search(rf"{MODEL} 1 Archived exact match 0 \(0 to [\d.]+\) " + first[:8], words)
    assert "Production history" in words
    assert "beats version 1: better on 10, worse on 0 of 10" in words
    assert "version 2, Production" in words
    assert [told for told, _ in read.images][1:] == [f"{MODEL}, run {second[:8]}: groups"]


def test_an_own_figure_is_shown_before_the_curves_and_no_score_is_guessed(store: Store) -> None:
    with mlflow_run.start_run(store, "seq2seq", "own", config=SEQ2SEQ.Config()) as run:
        scores = {"test/a": 0.125, "test/b": 0.25, "val/exact_match": 0.5}
        bounds = {f"{name}_{end}": value for name in ("test/a", "test/b") for end, value in (("low", 0), ("high", 1))}
        run.log_metrics({**scores, **bounds}, step=1)
        for name in ("training-curves", "forecasts"):
            run.log_figure(name, plots.side_by_side({"grey": np.zeros((8, 8, 3))}))
    read = page(store)
    assert [told.rpartition(": ")[2] for told, _ in read.images][1:] == ["forecasts", "training curves"]
    assert "0.125" not in read.words


def test_failed_killed_and_repeated_runs_are_told(store: Store) -> None:
    with pytest.raises(ValueError, match="<lost>"), mlflow_run.start_run(store, "seq2seq", "failed"):
        raise ValueError("<lost>")
    with pytest.raises(KeyboardInterrupt), mlflow_run.start_run(store, "tests", "killed"):
        raise KeyboardInterrupt
    old = trained(store, "old", [0.5], 0.5)
    tags = {"repeats": old, "repeat": "same", "repeat.result": "the same to the last digit: 3 values of 3 metrics"}
    with mlflow_run.start_run(store, "seq2seq", "repeat of old", config=SEQ2SEQ.Config(), tags=tags) as again:
        run_metrics = {"val/exact_match": 0.5, "test/exact_match": 0.5}
        again.log_metrics(run_metrics, step=1)
    words = " ".join(page(store).words.split())
    assert "4 runs: 2 finished, 1 failed, 1 killed." in words
    assert "ValueError: <lost>" in words
    assert re.search(r"killed \w{8} tests killed .* interrupted", words)
    assert re.search(rf"repeat of old {again.id[:8]} old {old[:8]} .* the same to the last digit", words)
    assert words.count(f"old {old[:8]}") == 3  # as the best run, how to have it again, and what was repeated
    assert words.count(f"repeat of old {again.id[:8]}") == 1


def test_studies_and_comparisons_are_shown(store: Store) -> None:
    study = optuna.create_study(storage=storage_of(store), study_name="dräwn", direction="maximize")
    study.set_user_attr("signature", {"objective": "val/exact_match"})
    study.optimize(lambda trial: trial.suggest_int("units", 3, 9) / 10, n_trials=3)
    study.enqueue_trial({"units": 3})
    study.optimize(_pruned, n_trials=1)
    with mlflow_run.start_run(store, "seq2seq", "sizes", tags={"comparison": "sizes", "command": "compare it"}) as run:
        run.log_table("comparison", {"units": [4, 8], "exact_match": [0.5, 0.123456789], "parameters": [2e6, 3.0]})
        run.log_figure("comparison", plots.side_by_side({"grey": np.zeros((8, 8, 3))}))
    read = page(store)
    words = " ".join(read.words.split())
    assert "dräwn 4 trials: 3 complete, 1 pruned. Objective: maximize val/exact_match." in words
    assert f"{study.best_trial.number} {study.best_value:.5g} units={study.best_params['units']}" in words
    assert "units exact match parameters 4 0.5 2,000,000 8 0.12346 3" in words
    assert "compare it" in words
    assert [told for told, _ in read.images] == [
        "Study dräwn: val/exact_match by trial",
        f"sizes, run {run.id[:8]}: comparison",
    ]


def _pruned(trial: optuna.Trial) -> float:
    trial.suggest_int("units", 3, 9)
    trial.report(0.1, 1)
    raise optuna.TrialPruned


def test_stored_figures_are_shrunk_and_left_out_where_the_page_would_grow_too_large(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow_run.start_run(store, "tests", "large", tags={"comparison": "large"}) as run:
        noise = np.random.default_rng(0).integers(0, 255, (300, 1600, 3), dtype=np.uint8)
        run.log_figure("a-wide-one", plots.side_by_side({"noise": noise}))
    caption = f"large, run {run.id[:8]}: a wide one"
    [(alt, png)] = page(store).images
    assert alt == caption
    assert int.from_bytes(png[16:20], "big") == html.MAX_WIDTH
    monkeypatch.setattr(html, "MAX_BYTES", 1000)
    assert f"{caption}: left out to limit the size of this page" in page(store).words
    assert html.StoredFigures().read(run.id, "none") == ""
    queries.artifact_path(run.id, "figures/a-wide-one.png").write_bytes(png[:200])
    assert html.StoredFigures().read(run.id, "a-wide-one") == ""


def test_the_page_goes_where_it_is_told_and_bad_places_are_one_line(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", f"--store={store.root}", f"--out={tmp_path / 'new' / 'page.html'}"], "make") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "new" / "page.html")
    assert main(["report", f"--store={store.root}"], "make") == 0
    assert sorted(path.name for path in store.root.iterdir() if "html" in path.name) == ["report.html"]
    (tmp_path / "file").write_text("")
    for option, told in {
        "out=page.txt": "out: got 'page.txt'; allowed is a file that ends in .html",
        f"out={tmp_path / 'file' / 'page.html'}": "out: .*page.html' cannot be written",
        "ui=javascript:alert(1)": r"ui: got 'javascript:alert\(1\)'; allowed is an address that begins with http",
    }.items():
        assert main(["report", f"--store={store.root}", f"--{option}"], "make") == 2
        assert re.match(f"error: {told}", capsys.readouterr().err)


@pytest.mark.nightly
def test_a_thousand_runs_make_a_page_of_less_than_two_megabytes(store: Store) -> None:
    with mlflow_run.start_run(store, "seq2seq", "first", config=SEQ2SEQ.Config()) as run:
        run.log_metrics({"val/exact_match": 0.25, "test/exact_match": 0.25}, step=1)
    client, first = mlflow.MlflowClient(), mlflow.get_run(run.id)
    params = [Param(name, value) for name, value in first.data.params.items()]
    tags = [RunTag(name, value) for name, value in first.data.tags.items() if not name.startswith("mlflow.")]
    for place in range(999):
        metrics = [Metric(f"test/{name}", place / 1000, 0, 1) for name in range(40)]
        history = [Metric("val/exact_match", step * place / 1e5, 0, step) for step in range(40)]
        copy = client.create_run(first.info.experiment_id, run_name=f"run {place}").info.run_id
        client.log_batch(copy, [*metrics, *history], params, tags)
        client.set_terminated(copy)
    written = html.write_report("", "http://127.0.0.1:5000", store)
    assert written.stat().st_size < 2_000_000
    words = Read(written.read_text(encoding="utf-8")).words
    assert "1,000 runs: 1,000 finished." in words
    assert f"run 998 {copy[:8]}" in words


@pytest.mark.slow
@browser.needs_chromium
@pytest.mark.parametrize("width", [1280, 420])
def test_in_a_browser_figures_are_shown_and_nothing_is_cut(
    sums_store: Path, served_sums: dict[str, Served], tmp_path: Path, width: int
) -> None:
    from playwright.sync_api import expect

    assert main(["report", f"--store={sums_store}", f"--out={tmp_path / 'report.html'}"], "make") == 0
    with browser.opened(tmp_path / "report.html", width) as opened:
        expect(opened.get_by_role("cell", name="seq2seq-text-to-text").first).to_be_visible()
        expect(opened.get_by_role("img").first).to_be_visible()
        widths = opened.evaluate("[...document.images].map(image => [image.naturalWidth, image.clientWidth])")
        assert all(0 < shown <= drawn and shown <= width for drawn, shown in widths)
        assert browser.overflow(opened) <= 0
        hidden = (
            "[...document.querySelectorAll('table')].filter(one => one.scrollWidth > one.parentElement.clientWidth)"
        )
        scrolls = "one => getComputedStyle(one.parentElement).overflowX == 'auto'"
        assert opened.evaluate(f"{hidden}.every({scrolls})")
