"""Datasets: inputs and targets show what the queries say, in handwriting that no other split has."""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from library.framework.errors import UserError
from library.sums.config import SumsConfig
from library.sums.data import dataset
from library.sums.data.dataset import Split, SumsDataset

MODALITIES = ("text-to-text", "image-to-text", "text-to-image")
DRAWN = MODALITIES[1:]
every_modality = pytest.mark.parametrize("modality", MODALITIES)
every_drawn = pytest.mark.parametrize("modality", DRAWN)
both_operators = pytest.mark.parametrize("operators", ["+-", "*"])


@functools.cache
def load(modality: str, operators: str = "+-", **fields: Any) -> SumsDataset:
    return dataset.load(SumsConfig(modality=modality, operators=operators, **fields))


def some(split: Split, examples: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Ids of a few queries and of their answers."""
    return split.queries.x[-examples:], split.queries.y[-examples:]


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(arrays: dataset.Arrays) -> np.ndarray:
    """The images among inputs and targets."""
    x, y = arrays
    return y.get("images", x)


def read(images: np.ndarray, split: Split) -> np.ndarray:
    """The characters that images of a split's handwriting show; -1 is none of them."""
    assert split.handwriting
    pool = zip(split.handwriting.images, split.handwriting.ids.tolist(), strict=True)
    known = {image.tobytes(): character for image, character in pool}
    shown = [known.get(image.tobytes(), -1) for image in images.reshape(-1, 28, 28)]
    return np.array(shown).reshape(images.shape[:-2])


def read_back(arrays: dataset.Arrays, split: Split) -> dataset.Arrays:
    """Ids of queries and answers, from their images where they are drawn."""
    x, y = arrays
    if split.handwriting is None:
        return x, y
    return (x, read(y["images"], split)) if split.draws_images else (read(x, split), y["answer"])


@every_modality
@both_operators
def test_arrays_have_the_shapes_and_types_of_the_modality(modality: str, operators: str) -> None:
    split, characters = load(modality, operators).validation, 3 if operators == "+-" else 4
    for arrays, examples in ((split.render(some(split), random()), 40), (split.rendered(0), len(split.queries))):
        query, answer = ((examples, 5), "int32"), ((examples, characters), "int32")
        query_images, answer_images = (((*shape, 28, 28), "uint8") for shape, _ in (query, answer))
        expected = {
            "text-to-text": (query, answer),
            "image-to-text": (query_images, {"answer": answer, "query": query}),
            "text-to-image": (query, {"ids": answer, "images": answer_images}),
        }
        assert keras.tree.map_structure(lambda array: (array.shape, str(array.dtype)), arrays) == expected[modality]


@every_modality
@pytest.mark.parametrize("split", ["train", "validation", "test"])
@both_operators
def test_rendered_arrays_show_the_ids_they_were_given(modality: str, split: str, operators: str) -> None:
    side: Split = getattr(load(modality, operators), split)
    np.testing.assert_equal(read_back(side.render(some(side), random()), side), some(side))


@both_operators
def test_queries_are_augmented_on_request_and_answers_never(operators: str) -> None:
    reads, draws = (load(modality, operators).train for modality in DRAWN)
    x, _ = reads.render(some(reads), random(), vary=True)
    blank = some(reads)[0] == 10 + len(operators)
    assert not x[blank].any()
    assert (read(x[~blank], reads) == -1).all()
    np.testing.assert_equal(read_back(draws.render(some(draws), random(), vary=True), draws), some(draws))


@every_drawn
def test_a_seed_renders_the_same_twice_and_another_draws_other_images(modality: str) -> None:
    split = load(modality).validation
    np.testing.assert_equal(split.rendered(3), split.rendered(3))
    once, twice = (split.render(some(split), random(3), vary=True) for _ in range(2))
    np.testing.assert_equal(once, twice)
    one, other = (drawn(split.rendered(seed)) for seed in (3, 4))
    inked, differ = one.any(axis=(2, 3)), (one != other).any(axis=(2, 3))
    assert differ[inked].mean() > 0.8  # of 14 images of a digit, one may be picked again
    assert not differ[~inked].any()


@every_drawn
@pytest.mark.parametrize(("at_least", "times"), [(500, 1), (501, 2), (1200, 3)])
def test_queries_are_repeated_in_other_images_up_to_so_many(modality: str, at_least: int, times: int) -> None:
    split = load(modality).validation
    assert len(split.queries) == 500
    arrays = split.rendered(0, at_least)
    images, target = drawn(arrays), arrays[1]["ids" if split.draws_images else "query"]
    ids = split.queries.y if split.draws_images else split.queries.x
    np.testing.assert_array_equal(target, np.tile(ids, (times, 1)))
    np.testing.assert_array_equal(read(images, split), target)
    assert times == 1 or (images[:500] != images[500:1000]).any()


@every_drawn
@both_operators
def test_images_of_the_test_are_in_no_other_split(modality: str, operators: str) -> None:
    loaded = load(modality, operators)
    images = drawn(loaded.test.render(some(loaded.test, 500), random()))
    images = images[images.any(axis=(2, 3))]
    assert (read(images, loaded.test) >= 0).all()
    assert all((read(images, split) == -1).all() for split in (loaded.train, loaded.validation))


def test_digests_tell_modalities_operators_and_digits_apart_and_nothing_else(tmp_path: Path) -> None:
    path, labels = tmp_path / "digits.npz", np.arange(200) % 10
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images[:100], y_test=labels[:100])
    digests = [load(modality, operators).digest for modality in MODALITIES for operators in ("+-", "*")]
    digests += [load(modality, digits=str(path)).digest for modality in DRAWN]
    assert len(set(digests)) == len(digests) == 8
    assert {len(digest) for digest in digests} == {16}
    for modality in MODALITIES:
        assert dataset.load(SumsConfig(modality=modality, seed=5, vary=False)).digest == load(modality).digest


def test_texts_need_no_digits_and_are_not_repeated_and_images_need_them(tmp_path: Path) -> None:
    split = load("text-to-text").validation
    np.testing.assert_equal(split.rendered(0, at_least=1200), (split.queries.x, split.queries.y))
    missing = str(tmp_path / "no.npz")
    assert load("text-to-text", digits=missing).digest == load("text-to-text").digest
    for modality in DRAWN:
        with pytest.raises(UserError, match=r"digits: got .*no\.npz"):
            load(modality, digits=missing)
