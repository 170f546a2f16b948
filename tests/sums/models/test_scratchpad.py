"""The decoder with a scratchpad: its working, what each step may see, and that both of its networks are one."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from library.framework.config import parse
from library.framework.errors import UserError
from library.sums.config import Seq2SeqConfig
from library.sums.data import queries, working
from library.sums.data.notation import Notation
from library.sums.models import scratchpad

SMALL = {"units": 4, "embedding_size": 3, "scratchpad": True, "decoder_depth": 2}
NUMBERS = st.integers(0, 99)


def numbers(digits: str, *lengths: int) -> list[int]:
    """The numbers of these lengths that are written one after the other, each from its ones up."""
    ends = np.cumsum(lengths).tolist()
    return [int(digits[end - length : end][::-1]) for end, length in zip(ends, lengths, strict=True)]


@given(NUMBERS, NUMBERS)
def test_the_working_of_a_product_leads_to_it(left: int, right: int) -> None:
    ones, one, other, cross, carried, tens = numbers(working.write(left, "*", right), 2, 2, 2, 3, 3, 2)
    assert one + other == cross and cross + ones // 10 == carried
    assert 100 * tens + 10 * carried + ones % 10 == left * right


@given(NUMBERS, st.sampled_from("+-"), NUMBERS)
def test_the_working_of_a_sum_or_a_difference_is_it_up_to_its_last_carry(left: int, sign: str, right: int) -> None:
    ones, carry, tens, last = map(int, working.write(left, sign, right))
    value = left + right if sign == "+" else left - right
    assert 10 * tens + ones + (100 if sign == "+" else -100) * last == value
    assert carry == ((left % 10 + right % 10 > 9) if sign == "+" else (left % 10 < right % 10))


def test_what_is_written_ends_with_the_answer_from_its_ones_on() -> None:
    config = Seq2SeqConfig(operators="*")
    notation, split = Notation("*"), queries.load(config).validation
    written = working.written(split, notation)
    assert written.shape == (len(split), working.length(notation) + 4)
    assert notation.decode(written[:, :-5:-1]) == list(split.answers)


@pytest.mark.parametrize("fields", [{"operators": "*"}, {"operators": "+-", "reading_order": "as-written"}])
def test_both_networks_write_the_same_and_no_step_sees_what_comes_later(fields: dict[str, str], tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    config = Seq2SeqConfig(**SMALL, **fields)
    network, forced = scratchpad.networks(config)
    forced = tf.function(forced)  # else each of some twenty calls takes a second
    notation = queries.notation(config)
    query = np.random.default_rng(0).integers(0, len(notation.characters), (4, 5))
    steps, answer = working.length(notation) + notation.answer_length, notation.answer_length
    written = np.zeros((4, steps), "int32")
    for step in range(steps):  # so that at last each step is given the likeliest characters before it
        written[:, step] = np.argmax(forced({"query": query, "written": written})[:, step], axis=-1)
    logits = np.asarray(forced({"query": query, "written": written}))
    answers = network(query)
    np.testing.assert_allclose(answers[:, ::-1], logits[:, -answer:], atol=1e-5)
    for step in (1, steps // 2, steps - 2):
        changed = np.where(np.arange(steps) < step, written, (written + 1) % len(notation.characters))
        after = np.asarray(forced({"query": query, "written": changed}))
        np.testing.assert_array_equal(after[:, : step + 1], logits[:, : step + 1])
        assert np.abs(after - logits)[:, step + 1 :].max() > 0
    network.save(tmp_path / "network.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "network.keras")(query), answers)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"modality": "image-to-text"}, "modality: got 'image-to-text' with scratchpad; allowed is text-to-text"),
        ({"answer_order": "as-written"}, "answer_order: got 'as-written' with scratchpad; allowed is ones-first"),
        ({"embedding_size": 0}, "embedding_size: got 0 with scratchpad; allowed is 1 or more"),
    ],
)
def test_what_a_scratchpad_does_not_go_with_is_refused(fields: dict[str, object], error: str) -> None:
    with pytest.raises(UserError, match=f"^{error}$"):
        parse(Seq2SeqConfig, {"scratchpad": True, **fields})
