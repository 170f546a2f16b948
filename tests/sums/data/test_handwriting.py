"""Images of characters: of the right character, split before use, augmented on request, from any source."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from library.framework.errors import UserError
from library.sums.data import handwriting

CHARACTERS = {"+-": "0123456789+- ", "*": "0123456789* "}
SPLITS = ("train", "validation", "test")
IMAGES = np.random.default_rng(0).integers(0, 200, (200, 28, 28), dtype=np.uint8)
LABELS = np.arange(200, dtype=np.uint8) % 10
seeds = st.integers(0, 2**32 - 1)


@functools.cache
def loaded(operators: str) -> handwriting.HandwritingSplits:
    return handwriting.load("scikit-learn", CHARACTERS[operators])


@functools.cache
def known(operators: str, split: str) -> dict[bytes, int]:
    """The character of each image of a split."""
    glyphs = getattr(loaded(operators), split)
    return {image.tobytes(): character for image, character in zip(glyphs.images, glyphs.ids.tolist(), strict=True)}


def write(path: Path, **changes: Any) -> bytes:
    """An `.npz` as Keras keeps MNIST, of 20 images per digit, with changed arrays; None leaves one out."""
    kept = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[::-1] // 2, "y_test": LABELS[::-1]} | changes
    np.savez(path, **{name: array for name, array in kept.items() if array is not None})
    return path.read_bytes()


@pytest.mark.parametrize("operators", CHARACTERS)
def test_no_image_but_the_blank_is_in_two_splits_and_the_digest_is_the_same_on_every_machine(operators: str) -> None:
    train, validation, test = (set(known(operators, split)) for split in SPLITS)
    assert train & validation == train & test == validation & test == {bytes(28 * 28)}
    assert loaded(operators).digest == {"+-": "1b505248fe1acee3", "*": "8379e7bc8b3feff8"}[operators]


@pytest.mark.parametrize("operators", CHARACTERS)
@pytest.mark.parametrize("split", SPLITS)
def test_every_character_has_images_of_its_own(operators: str, split: str) -> None:
    glyphs = getattr(loaded(operators), split)
    digits, others = np.split(np.bincount(glyphs.ids), [10])
    assert digits.sum() == {"train": 1295, "validation": 143, "test": 359}[split]  # of 1,797
    assert digits.min() > 10
    assert others.tolist() == [1000] * len(operators) + [1]
    assert len(known(operators, split)) == len(glyphs.ids) == len(glyphs.images)
    assert (glyphs.images.shape[1:], glyphs.images.dtype, glyphs.ids.dtype) == ((28, 28), np.uint8, np.int32)
    blanks = np.full(50, len(CHARACTERS[operators]) - 1)  # empty, augmented or not
    assert not any(glyphs.draw(blanks, np.random.default_rng(0), vary=vary).any() for vary in (False, True))


@settings(deadline=None)
@given(arrays.arrays(np.int32, arrays.array_shapes(min_dims=0, min_side=0), elements=st.integers(0, 12)), seeds)
def test_drawn_images_show_the_given_characters(ids: np.ndarray, seed: int) -> None:
    for split in SPLITS:
        drawn = getattr(loaded("+-"), split).draw(ids, np.random.default_rng(seed))
        assert (drawn.shape, drawn.dtype) == ((*ids.shape, 28, 28), np.uint8)
        assert [known("+-", split)[image.tobytes()] for image in drawn.reshape(-1, 28, 28)] == ids.ravel().tolist()


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_augmented_images_differ_keep_their_shape_and_move_their_centre_by_two_pixels_at_most(seed: int) -> None:
    images = loaded("*").test.images[:24].reshape(4, 6, 28, 28)
    augmented = handwriting.augment(images, np.random.default_rng(seed))
    assert (augmented.shape, augmented.dtype) == (images.shape, np.uint8)
    assert (augmented != images).any(axis=(2, 3)).all()
    np.testing.assert_array_equal(augmented, handwriting.augment(images, np.random.default_rng(seed)))
    dots = np.pad(np.full((20, 2, 2), 255, dtype=np.uint8), ((0, 0), (13, 13), (13, 13)))
    augmented = handwriting.augment(dots, np.random.default_rng(seed)).astype(float)
    for axis in (1, 2):
        centre = (augmented.sum(axis=axis) * np.arange(28)).sum(axis=1) / augmented.sum(axis=(1, 2))
        assert (abs(centre - 13.5) < 2.1).all()


@settings(deadline=None)
@given(arrays.arrays(float, (2, 2), elements=st.floats(5, 23)), st.floats(1.6, 3.4))
def test_a_stroke_leaves_ink_near_its_line_alone(ends: np.ndarray, thickness: float) -> None:
    image, (start, end) = handwriting.draw_strokes(ends[None], thickness), ends
    to_pixels = np.stack(np.meshgrid(np.arange(28), np.arange(28)), axis=-1) + 0.5 - start
    along = np.clip(to_pixels @ (end - start) / max(((end - start) ** 2).sum(), 1e-9), 0, 1)
    distance = np.linalg.norm(to_pixels - along[..., None] * (end - start), axis=-1)
    assert (image.shape, image.dtype) == ((28, 28), np.uint8)
    assert not image[distance > thickness / 2 + 1].any()
    assert (image[distance < 0.5] > 127).all()
    assert image.any()


def test_a_file_as_keras_keeps_mnist_is_loaded(tmp_path: Path) -> None:
    write(tmp_path / "digits.npz")
    splits = handwriting.load(str(tmp_path / "digits.npz"), CHARACTERS["*"])
    for split, images in zip(splits, (IMAGES[:180], IMAGES[180:], IMAGES // 2), strict=True):
        for digit in range(10):
            np.testing.assert_array_equal(np.sort(split.images[split.ids == digit], 0), np.sort(images[digit::10], 0))
        assert np.bincount(split.ids)[10:].tolist() == [1000, 1]


def without_arrays(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        for name in handwriting.ARRAYS:
            archive.writestr(name, "digits")


WRONG: list[tuple[str, Any]] = [
    *[("x_train", images) for images in (IMAGES[:, 1:], IMAGES[0], IMAGES[:99], IMAGES[..., None], IMAGES[:0])],
    *[("x_test", IMAGES.astype(dtype)) for dtype in (float, int, str)],
    *[("y_train", labels) for labels in (LABELS[:99], LABELS[:, None], LABELS[0], LABELS % 9, LABELS + 1)],
    *[("y_test", labels) for labels in (LABELS * 1.0, LABELS.astype(str), LABELS > 4, LABELS % 9)],
    *[("y_train", np.sort(LABELS)), ("y_train", np.array([Path()] * 200)), ("y_test", None)],  # a Path is pickled
    *[(name, 255 - IMAGES) for name in ("x_train", "x_test")],
]
BAD: dict[str, Callable[[Path], Any]] = {
    "missing": lambda _: None,
    "a folder": Path.mkdir,
    "empty": Path.touch,
    "a text": lambda path: path.write_text("digits\n" * 9),
    "a pickle": IMAGES.dump,
    "truncated": lambda path: path.write_bytes(write(path)[:-9999]),
    "damaged": lambda path: path.write_bytes(write(path).replace(IMAGES[7].tobytes(), bytes(784))),
    "no arrays": without_arrays,
    **{f"wrong {i} {name}": functools.partial(write, **{name: array}) for i, (name, array) in enumerate(WRONG)},
}


@pytest.mark.parametrize("kind", BAD)
def test_other_files_than_mnist_are_refused_in_one_line(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digits.npz"
    BAD[kind](path)
    monkeypatch.setattr("pickle.load", lambda *_, **__: pytest.fail("what is unpickled could run anything"))
    with pytest.raises(UserError, match=rf"^digits: .*'{path}'.*$"):
        handwriting.load(str(path), CHARACTERS["*"])
    monkeypatch.setattr("keras.datasets.mnist.load_data", lambda: 1 / 0)
    with pytest.raises(UserError, match=r"^digits: MNIST cannot be downloaded \(division by zero\); give"):
        handwriting.load("mnist", CHARACTERS["*"])
