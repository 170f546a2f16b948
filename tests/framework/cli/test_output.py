"""What is printed of versions: their list, their scores, and the lines of the commands that move them."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import pytest
import sqlalchemy

from library.framework import environment, formatting
from library.framework.cli import output
from library.framework.cli.main import main
from library.framework.experiment import TestResult
from library.framework.pipeline import Outcome
from library.framework.registry import artifacts
from library.framework.registry.artifacts import score_of
from library.framework.registry.history import ProductionPeriod
from library.framework.registry.overview import VersionRecord, overview
from library.framework.registry.stages import promote_if_better
from library.framework.statistics import Estimate, estimate_of_scores
from library.framework.tracking.folder import FolderStore
from library.framework.tracking.mlflow_run import start_run
from library.framework.tracking.store import Store
from tests.tiny import Tiny
from tests.versions import NAME, clone, register, three


def test_the_list_shows_every_version(store: Store, tmp_path: Path) -> None:
    promote_if_better(NAME, register(store, tmp_path, "0001"))
    register(store, tmp_path, "0011")
    for scores in ({}, {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0}):
        with start_run(store, "tests", "run"):
            scored = TestResult({"test/other": 0.5, "test/right": 0.75}, scores, "test/right")
            artifacts.register(NAME, Tiny().package(None, tmp_path), scored, {})
    named, unknown, newer, older = overview()
    assert (older.model, older.version, older.stage, newer.version, newer.stage) == (NAME, "1", "Production", "2", None)
    assert (unknown.score, str(named.score)) == (None, "right 0.75 (0.3006 to 0.9544)")
    assert str(older.score) == "mean_score 0.25 (0.04559 to 0.6994)"  # Wilson's, of 1 of 4
    assert str(newer.score) == "mean_score 0.5 (0.15 to 0.85)"
    assert mlflow.get_run(older.run).info.run_name == "run"
    assert 0 <= (datetime.now(UTC) - older.created).total_seconds() < 600
    files = [path for path in store.root.rglob("artifacts/**/*") if path.is_file()]
    assert older.bytes
    assert 0 < older.bytes < sum(path.stat().st_size for path in files if f"/{older.run}/" not in str(path))


def test_the_list_takes_as_many_queries_however_many_versions_there_are(store: Store, tmp_path: Path) -> None:
    three(store, tmp_path)
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        counts = []
        for more in (0, 20):
            clone("1", more)
            statements.clear()
            assert len(overview()) == 3 + more
            counts.append(len(statements))
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    assert counts[0] == counts[1] < 25


def test_a_version_is_known_by_what_promotion_compares() -> None:
    for name, value, scores, interval in (
        ("test/right", 0.75, [1, 1, 1, 0], (0.3006, 0.9544)),
        ("test/error", 2.0, [-1, -2, -3], (0.8684, 3.1316)),
        ("", None, [1, 2, 3], (0.8684, 3.1316)),
    ):
        found = estimate_of_scores({str(i): float(one) for i, one in enumerate(scores)}, name, value)
        assert (found.name, found.value) == (name or "test/mean_score", value or 2)
        assert (found.low, found.high) == pytest.approx(interval, abs=1e-4)


def test_the_score_of_an_older_version_is_the_one_with_an_interval() -> None:
    tags = {"test/a": "1", "test/b": "0.5", "test/b_low": "0.4", "test/b_high": "0.6"}
    assert str(score_of(tags)) == "b 0.5 (0.4 to 0.6)"
    assert score_of({"test/a": "1"}) is None


def test_numbers_are_shown_in_full_or_to_some_digits() -> None:
    shown = {208_100.4: "208,100", 2.0: "2", 0.123456: "0.12346", 1e-7: "1e-07", 3: "3", None: ""}
    assert {value: formatting.number(value) for value in shown} == shown
    assert formatting.number([12_345.6, 0.123456], digits=4) == "12,346, 0.1235"


def test_ages_and_sizes_are_shown_in_their_largest_unit() -> None:
    shown = {-1: "0 seconds", 119: "119 seconds", 120: "2 minutes", 7200: "2 hours", 172_800: "2 days"}
    assert {seconds: formatting.age(seconds) for seconds in shown} == shown
    assert [formatting.size(count) for count in (900, 99_900, 1_234_567)] == ["0.9 kB", "99.9 kB", "1.2 MB"]


def test_the_commands_do_it_and_say_so(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(command: str, *flags: str) -> list[str]:
        assert main([command, f"--store={store.root}", *flags], "make") == 0
        return capsys.readouterr().out.splitlines()

    of_it = f"--MODEL={NAME}"
    assert run("models") == ["no model is registered yet; train or tune one first"]
    first = register(store, tmp_path, "0001")
    assert run("history", of_it) == ["no version of tiny was in Production yet"]
    assert run("promote", of_it, "--VERSION=1") == [
        "tiny version 1 is in Production: the first version: there was no champion to beat"
    ]
    clone(first, 2)
    assert run("promote", of_it, "--version=2", "--stage=Staging") == ["tiny version 2 is in Staging: asked for"]
    assert run("promote", of_it, "--version=2", "--FORCE=1") == ["tiny version 2 is in Production: forced"]
    assert run("rollback", of_it) == ["tiny version 1 is in Production: rolled back from 2"]
    assert run("archive", of_it, "--version=3") == ["tiny version 3 is in Archived: asked for"]
    heading, *rows = run("models")
    assert heading.split() == ["model", "version", "stage", "score", "(95", "%", "interval)", "run", "age", "size"]
    assert [row.split()[:7] for row in rows] == [
        ["tiny", version, stage, "mean_score", "0.25", "(0.04559", "to"]
        for version, stage in [("3", "Archived"), ("2", "Archived"), ("1", "Production")]
    ]
    heading, *rows = run("history", of_it)
    assert heading.split() == ["version", "in", "Production", "from", "until", "reason"]
    last, middle, _ = cells = [re.split(" {2,}", row.strip()) for row in rows]
    assert [(cell[0], cell[3]) for cell in cells] == [
        ("1", "rolled back from 2"),
        ("2", "forced"),
        ("1", "the first version: there was no champion to beat"),
    ]
    assert (middle[2], last[2]) == (last[1], "now")


def test_lists_are_json_for_scripts_and_nothing_else(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: str, *flags: str) -> Any:
        assert main([command, f"--store={store.root}", "--JSON=1", *flags], "make") == 0
        return json.loads(capsys.readouterr().out)

    assert run("models") == run("runs") == []
    three(store, tmp_path)
    with start_run(store, "scored", "run") as scored:
        scored.log_metrics({"test/b": 0.5, "test/b_standard_error": 0.1, "test/a": 1, "val/c_low": 0, "val/c": 1})
    [newest, *_] = run("models")
    assert datetime.fromisoformat(newest.pop("created")) <= datetime.now(UTC)
    assert newest.pop("bytes") > 0
    assert newest.pop("run") == mlflow.MlflowClient().get_model_version(NAME, "1").run_id
    score = newest.pop("score")
    assert (score.keys(), score["name"]) == ({"name", "value", "low", "high"}, "test/mean_score")
    assert newest == {"model": NAME, "version": 3, "stage": "Production"}
    [now, *_] = run("history", f"--model={NAME}")
    assert datetime.fromisoformat(now.pop("since")) <= datetime.now(UTC)
    assert now == {"version": 3, "until": None, "reason": "forced"}
    [first] = run("runs", "--n=1")
    assert datetime.fromisoformat(first.pop("began")) <= datetime.now(UTC)
    assert first.pop("seconds") >= 0
    assert first.pop("score") == {
        "name": "test/b",
        "value": 0.5,
        "low": pytest.approx(0.304),
        "high": pytest.approx(0.696),
    }
    assert first == {"id": scored.id, "experiment": "scored", "name": "run", "status": "FINISHED"}
    assert [one["score"] for one in run("runs", "--experiment=tests")] == [None]


def test_runs_are_listed_with_their_scores(
    store: Store, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    assert main(["runs", f"--store={store.root}"], "make") == 0
    assert capsys.readouterr().out == "there is no run yet; train or tune first\n"
    with start_run(store, "scored", "a run") as run:
        run.log_metrics({"test/b": 0.5, "test/b_low": 0.25, "test/b_high": 0.75})
    assert main(["runs", f"--store={store.root}"], "make") == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert re.split(" {2,}", heading.strip()) == ["run", "experiment", "name", "status", "score (95 % interval)", "age"]
    assert re.split(" {2,}", row.strip())[:5] == [run.id, "scored", "a run", "FINISHED", "b 0.5 (0.25 to 0.75)"]
    error = refused("runs", "--experiment=score", f"--store={store.root}")
    assert error == "unknown experiment 'score'; did you mean scored?\n"


def test_what_does_not_exist_or_go_is_one_line(store: Store, tmp_path: Path, refused: Callable[..., str]) -> None:
    promote_if_better(NAME, register(store, tmp_path, "01"))
    clone("1", 11)
    mlflow.MlflowClient().delete_model_version(NAME, "9")
    newest = "version 12 in no stage, version 11 in no stage, version 10 in no stage, version 8"
    for line, message in {
        "promote --model=tony --version=1": "model 'tony': not registered; there is tiny",
        "history --model=tony": "model 'tony': not registered; there is tiny",
        "rollback --model=a/b": "model 'a/b': not registered; there is tiny",
        "rollback --model=it's": 'model "it\'s": not registered; there is tiny',
        "promote --model=tiny --version=9": f"model 'tiny': no version 9; there is {newest}",
        "archive --model=tiny --version=1": "model 'tiny' version 1: is in Production, and none would be",
    }.items():
        assert refused(*line.split(), f"--store={store.root}").startswith(message)


def test_a_narrow_terminal_breaks_rows_between_cells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    score = Estimate(0.5, low=0.25, high=0.75, name="test/exact_match")
    version = VersionRecord("seq2seq-text-to-text", "3", None, score, "0123456789abcdef" * 2, datetime.now(UTC), 43_900)
    output.print_models([version])
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading == "model  version  stage  score (95 % interval)  run  age  size"
    assert lines == [
        "seq2seq-text-to-text  3  -  exact_match 0.5 (0.25 to 0.75)",
        f"    {version.run}  0 seconds  43.9 kB",
    ]


def test_a_history_on_a_narrow_terminal_goes_on_in_the_column_of_its_reasons(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    since, until = (datetime(2026, 7, day).astimezone() for day in (1, 2))
    reason = "beats version 1: of 1,200 examples 31 are better and 4 worse, p < 0.001"
    output.print_history(
        NAME, [ProductionPeriod("2", since, until, reason), ProductionPeriod("10", until, None, "forced")]
    )
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "version  in Production from   until                reason",
        "10       2026-07-02 00:00:00  now                  forced",
        "2        2026-07-01 00:00:00  2026-07-02 00:00:00  beats version 1: of 1,200",
        "                                                   examples 31 are better and 4",
        "                                                   worse, p < 0.001",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("models --store=nowhere", "store nowhere: there is none; train or tune first, or give STORE=folder"),
        ("promote --version=1", "model: nothing was given; it is name in the registry, such as"),
        ("promote --model=tiny", "version: nothing was given; it is number of the version"),
        ("promote --model=tiny --version=v3", "version: got 'v3'; allowed is an integer"),
        ("promote --model= --version=3", "model: got ''; allowed is text of at least 1 character"),
        ("promote --model=a --version=3 --stage=Prod", "stage: got 'Prod'; allowed is 'Staging', 'Production' or 'Ar"),
        (
            "archive --model=tiny --version=3 --stage=Staging",
            "unknown option 'STAGE'; allowed are ARTIFACTS, FORCE, HELP, MODEL, STORE, STUDIES, VERSION",
        ),
    ],
)
def test_a_bad_argument_is_one_line_and_makes_no_store(line: str, message: str, refused: Callable[..., str]) -> None:
    assert refused(*line.split()).startswith(message)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("program", "option"), [("make", "make {} STORE={}\n"), ("cats-and-sums", "cats-and-sums {} --store={}\n")]
)
def test_a_training_ends_with_its_scores_and_what_to_do_next(
    program: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(environment.PROGRAM, program)
    predict = environment.command("predict", "tiny", {"query": "?"})
    metrics = {"test/accuracy": 0.987654321, "test/part/accuracy": 0.5, "model/parameters": 208096.5}
    metrics |= {"test/error": 2.0, "test/error_low": 1.87654, "test/error_high": 2.1, "test/r": 0.5, "test/r_low": 0.4}
    store = FolderStore(tmp_path)
    output.print_trained(Outcome("tiny", "0a1b", "tiny", "3", "Staging", "is worse", metrics, predict, "['?']"), store)
    shown = capsys.readouterr().out
    for row in (
        "test/accuracy *│ 0.98765",
        "model/parameters *│ 208,096 ",
        r"test/error *│ 2 \(1.877 to 2.1\) ",
        "test/r_low *│ 0.4 ",
        "run *│ 0a1b ",
    ):
        assert re.search(row, shown)
    for row in ("registered *│ tiny version 3, Staging", "reason *│ is worse"):
        assert re.search(row, shown)
    assert "test/part" not in shown
    assert "test/error_" not in shown
    assert f"  {predict}{store.option}\n" in shown
    assert [page for page in ("ui", "dashboard") if option.format(page, tmp_path) not in shown] == []
    assert f'mlflow.set_tracking_uri("{store.tracking_uri}")' in shown
    assert """load_model("models:/tiny/Staging").predict(['?'])\n""" in shown
