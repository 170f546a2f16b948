"""Configs: every field is explained, bounded and read from text; every error is one line that can be acted on."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from library.cats.config import CatsConfig, GanConfig, ImagesConfig
from library.framework import config, discovery, options
from library.framework.cli.commands import COMMANDS
from library.framework.config import Options, TrainingConfig, parse
from library.framework.errors import UserError
from library.framework.options import StoreOptions, StudyOptions
from library.sums.config import ArithmeticConfig, GlyphReaderConfig

Seq2SeqConfig = discovery.find("seq2seq").Config
DECLARED = (vars(options) | vars(config) | COMMANDS | discovery.find_commands()).values()
OWN = [value for value in DECLARED if isinstance(value, type) and issubclass(value, Options)]
ALL = OWN + [discovery.find(name).Config for name in discovery.names()]
PATHS_OF_COMMANDS = {
    "predict": ["query", "queries", "out"],
    "report": ["out"],
    "cats": ["cats", "out"],
    "generate": ["out"],
    "compare-cats": ["out"],
}
of_every_config = pytest.mark.parametrize("config_type", ALL, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")


def needed(config_type: type[Options]) -> dict[str, Any]:
    """Values for the fields that have no default."""
    fields = {name: field for name, field in config_type.model_fields.items() if field.is_required()}
    kinds = {name: field.annotation for name, field in fields.items()}
    usual = {name: next(iter(get_args(kind)), 1 if kind is int else "text") for name, kind in kinds.items()}
    return usual | {name: field.examples[0] for name, field in fields.items() if field.examples}


def refused(config_type: type[Options], **values: Any) -> str:
    """What is said of values that are not allowed: always one line."""
    with pytest.raises(UserError, match=r"^.*$") as caught:
        parse(config_type, values)
    return str(caught.value)


@of_every_config
def test_every_field_says_what_it_means_has_bounds_if_a_number_and_reads_its_default_back_from_text(
    config_type: type[Options],
) -> None:
    assert [name for name, field in config_type.model_fields.items() if not field.description] == []
    for name, schema in config_type.model_json_schema().get("properties", {}).items():
        if schema.get("type") in ("integer", "number"):
            assert {"minimum", "exclusiveMinimum"} & schema.keys(), name
    optional = {name: field for name, field in config_type.model_fields.items() if not field.is_required()}
    defaults = {name: one.get_default(call_default_factory=True, validated_data={}) for name, one in optional.items()}
    required = needed(config_type)
    parsed = parse(config_type, required | {name: str(value) for name, value in defaults.items()})
    assert parsed.model_dump() == defaults | required


def test_an_experiment_runs_on_its_defaults() -> None:
    for config_type in (discovery.find(name).Config for name in discovery.names()):
        assert [field for field, info in config_type.model_fields.items() if info.is_required()] == []
        assert issubclass(config_type, config.Config)


def test_text_becomes_what_the_field_is() -> None:
    config = parse(
        Seq2SeqConfig,
        {"units": "64", "learning_rate": "1e-3", "bidirectional": "true", "split": "disjoint", "epochs": 3},
    )
    assert (config.units, config.learning_rate, config.bidirectional) == (64, 0.001, True)
    assert (config.split, config.epochs) == ("disjoint", 3)
    assert parse(StoreOptions, {"store": "some where"}).store == "some where"


@pytest.mark.parametrize(
    ("config_type", "name", "value", "allowed"),
    [
        (ArithmeticConfig, "train_fraction", "0", "greater than 0"),
        (ArithmeticConfig, "train_fraction", "1.5", "less than 1"),
        (ArithmeticConfig, "train_fraction", "nan", "a finite number"),
        (ArithmeticConfig, "train_fraction", "half", "a number"),
        (ArithmeticConfig, "split", "mirror", "'random' or 'disjoint'"),
        (ArithmeticConfig, "split_seed", str(2**32), "less than 4294967296"),
        (TrainingConfig, "epochs", "0", "greater than or equal to 1"),
        (TrainingConfig, "epochs", "2.5", "an integer"),
        (TrainingConfig, "learning_rate", "inf", "a finite number"),
        (TrainingConfig, "minutes", "-1", "greater than or equal to 0"),
        (ImagesConfig, "images", "59", "greater than or equal to 60"),
        (ImagesConfig, "filters", "32-64", "three or four numbers of 1 to 9999, as in 32-64-128"),
        (ImagesConfig, "filters", "32-0-64", "three or four numbers of 1 to 9999, as in 32-64-128"),
        (ImagesConfig, "filters", "32-64-128-256-512", "three or four numbers of 1 to 9999, as in 32-64-128"),
        (ImagesConfig, "features", "vgg16", "'drawn-cats-v1' or 'inception-v3'"),
        (GanConfig, "averaging", "1", "less than 1"),
        (Seq2SeqConfig, "units", "5000", "less than or equal to 4096"),
        (Seq2SeqConfig, "bidirectional", "perhaps", "a boolean"),
        (COMMANDS["promote"], "stage", "best", "'Staging', 'Production' or 'Archived'"),
        (StudyOptions, "workers", "", "an integer"),
        (StudyOptions, "study", "a/b", "letters, digits, '.', '_' and '-'"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(
    config_type: type[Options], name: str, value: str, allowed: str
) -> None:
    line = refused(config_type, **{**needed(config_type), name: value})
    assert line.startswith(f"{name}: got {value!r}; allowed is ")
    assert allowed in line


@given(st.sampled_from(sorted(Seq2SeqConfig.model_fields)), st.text())
def test_any_text_is_a_value_or_one_line_that_names_field_and_text(name: str, text: str) -> None:
    try:
        parse(Seq2SeqConfig, {name: text})
    except UserError as error:
        assert str(error).startswith(f"{name}: got {text!r}; allowed is ")
        assert len(str(error).splitlines()) == 1


@of_every_config
def test_a_field_that_does_not_exist_is_named_with_those_that_do(config_type: type[Options]) -> None:
    assert refused(config_type, **needed(config_type), nope=1) == (
        f"unknown field 'nope'; allowed are {', '.join(config_type.model_fields)}"
    )


def test_a_field_that_is_needed_is_named_with_its_meaning_and_fields_that_do_not_agree() -> None:
    line = "model: nothing was given; it is name in the registry, such as seq2seq-text-to-text"
    assert refused(COMMANDS["serve"]) == line
    line = refused(Seq2SeqConfig, reading_order="pairs", padding="right")
    assert line == "reading_order: got 'pairs' with padding='right'; allowed is padding='left', which aligns"
    assert parse(Seq2SeqConfig, {"reading_order": "as-written", "padding": "right"}).padding == "right"


def test_a_config_cannot_be_changed_and_knows_the_steps_of_the_whole_training() -> None:
    config = TrainingConfig(epochs=3, steps_per_epoch=7)
    with pytest.raises(ValidationError, match="frozen"):
        config.epochs = 4  # type: ignore[misc]
    assert config.steps == 21


@pytest.mark.parametrize("given", ["~/a b", "~", "~nobody-of-this-name/a", "a~b", "/x/~"])
def test_a_tilde_is_the_home_folder_in_every_path(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    expected = given.replace("~", "/home/me", 1) if given in ("~", "~/a b") else given
    assert str(parse(StoreOptions, {"store": given}).store) == expected
    assert parse(CatsConfig, {"cats": given}).cats == expected
    assert parse(GlyphReaderConfig, {"digits": given}).digits == expected
    commands = COMMANDS | discovery.find_commands()
    for name, fields in PATHS_OF_COMMANDS.items():
        values = needed(commands[name]) | dict.fromkeys(fields, given)
        assert [getattr(parse(commands[name], values), field) for field in fields] == [expected] * len(fields)


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(UserError, match=r"^study: got 'a+'; allowed is text of at most 200 characters$"):
        parse(StudyOptions, {"study": "a" * 300})
