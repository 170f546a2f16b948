"""A pile of images becomes a set of cats: what is in it, what is not and why, and that it goes on where it stopped."""

import errno
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.cats.data.curation import pipeline
from library.cats.data.curation.archives import open_source
from library.cats.data.curation.checkpoint import Journal
from library.cats.data.curation.decoding import decode
from library.cats.data.curation.pipeline import Curation, curate
from library.framework.errors import UserError
from tests import piles

COUNT = 120
PHOTOS = piles.photos(COUNT)
FILES = {f"{i:03}.png": piles.encoded(image) for i, image in enumerate(PHOTOS)}
REPEATED = piles.photos(5, seed=1, size=150)
FLAT = np.full((64, 64, 3), 200, dtype=np.uint8)
PILE = {
    **FILES,
    **{f"again/{i:03}.png": FILES[f"{i:03}.png"] for i in range(7)},
    **{f"mirrored/{i:03}.jpg": piles.encoded(PHOTOS[i][:, ::-1], ".jpg", 60) for i in range(20, 24)},
    **{f"small/{i}.png": piles.encoded(image[::3, ::3]) for i, image in enumerate(REPEATED)},
    **{f"zlarge/{i}.png": piles.encoded(image) for i, image in enumerate(REPEATED)},
    "broken.png": FILES["000.png"][:200],
    "empty.jpg": b"",
    "flat.png": piles.encoded(FLAT),
    "tiny.png": piles.encoded(PHOTOS[9][:20, :20]),
    "notes.txt": b"cats",
}
DROPPED = {"exact duplicate": 7, "near duplicate": 9, "broken": 2, "nearly flat": 1, "too small": 1}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_CHUNK", 16)


def make(source: Path, folder: Path, show: Any = lambda *_: None) -> Curation:
    return curate(open_source(source), folder, show)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_kept_and_what_is_dropped_and_why(tmp_path: Path) -> None:
    curation = make(piles.folder(tmp_path / "pile", PILE), tmp_path / "sets" / "cats")
    assert Counter(one.reason for one in curation.dropped) == DROPPED
    assert curation.splits == {"train": 101, "validation": 12, "test": 12}
    of = {one.name: one.kept for one in curation.dropped}
    assert {frozenset((name, kept)) for name, kept in of.items() if kept} == {
        *(frozenset((f"again/{i:03}.png", f"{i:03}.png")) for i in range(7)),
        *(frozenset((f"mirrored/{i:03}.jpg", f"{i:03}.png")) for i in range(20, 24)),
        *(frozenset((f"small/{i}.png", f"zlarge/{i}.png")) for i in range(5)),
    }
    # Of copies the one from the largest original stays.
    assert not any(f"zlarge/{i}.png" in of for i in range(5))


def test_the_set_is_one_array_in_the_order_of_its_parts_and_a_report(tmp_path: Path) -> None:
    curation = make(piles.folder(tmp_path / "pile", PILE), tmp_path / "cats")
    assert sorted(contents(tmp_path / "cats")) == ["curation.json", "images.npy"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cats", "pile"]
    report = json.loads((tmp_path / "cats" / "curation.json").read_text())
    assert (report["digest"], report["splits"]) == (curation.digest, curation.splits)
    assert (report["source"], len(report["dropped"])) == (str(tmp_path / "pile"), 20)
    images = np.load(tmp_path / "cats" / "images.npy", mmap_mode="r")
    assert (images.shape, images.dtype) == ((125, 75, 75, 3), np.uint8)
    for image, name in zip(images, report["names"], strict=True):
        np.testing.assert_array_equal(image, decode(PILE[name]).image)
    loaded = dataset.load(CatsConfig(cats=str(tmp_path / "cats")))
    assert loaded.digest == curation.digest
    np.testing.assert_array_equal(np.concatenate([loaded.train, loaded.validation, loaded.test]), images)


def test_a_sheet_shows_each_reason_and_what_copies_are_of(tmp_path: Path) -> None:
    sheets = make(piles.folder(tmp_path / "pile", PILE), tmp_path / "cats").sheets
    assert {reason: len(sheet.images) for reason, sheet in sheets.items()} == DROPPED
    assert {reason for reason, sheet in sheets.items() if sheet.kept is not None} == {
        "exact duplicate",
        "near duplicate",
    }
    exact, near = sheets["exact duplicate"], sheets["near duplicate"]
    assert exact.kept is not None and near.kept is not None
    np.testing.assert_array_equal(exact.images, exact.kept)
    assert [float(caption) for caption in near.captions] == sorted(float(caption) for caption in near.captions)
    assert sheets["nearly flat"].images.min() == sheets["nearly flat"].images.max() == 200
    assert list(sheets["too small"].captions) == ["tiny.png"]


def test_the_same_images_make_the_same_set_however_they_are_packed(tmp_path: Path) -> None:
    renamed = {f"x/{99999 - i}{Path(name).suffix}": raw for i, (name, raw) in enumerate(PILE.items())}
    packed = [
        piles.folder(tmp_path / "pile", PILE),
        piles.zipped(tmp_path / "pile.zip", PILE),
        piles.tarred(tmp_path / "pile.tar.gz", renamed),
    ]
    made = [make(path, tmp_path / f"cats{i}") for i, path in enumerate(packed)]
    assert len({curation.digest for curation in made}) == 1
    np.save(tmp_path / "cats.npy", PHOTOS)
    assert (
        make(tmp_path / "cats.npy", tmp_path / "a").digest
        == make(piles.folder(tmp_path / "photos", FILES), tmp_path / "b").digest
    )


def stop(at: int, error: BaseException) -> Any:
    """Fails once so many images are behind it."""

    def show(done: int, _: int | None) -> None:
        if done >= at:
            raise error

    return show


@pytest.mark.parametrize("pack", [piles.folder, piles.zipped, piles.tarred])
def test_an_interrupted_curation_goes_on_and_comes_to_the_same(
    pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "pile.tar", PILE)
    make(path, tmp_path / "whole")
    for at in (16, 64):
        with pytest.raises(KeyboardInterrupt):
            make(path, tmp_path / "cats", stop(at, KeyboardInterrupt()))
        assert not (tmp_path / "cats").exists()
    decoded: list[int] = []
    make(path, tmp_path / "cats", lambda done, _: decoded.append(done))
    assert decoded[0] == 80
    assert contents(tmp_path / "cats") == contents(tmp_path / "whole")


@pytest.mark.parametrize("harm", ["half a line", "half an image", "no images", "line lost"])
def test_what_was_written_in_part_is_done_again(harm: str, tmp_path: Path) -> None:
    path = piles.folder(tmp_path / "pile", PILE)
    make(path, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        make(path, tmp_path / "cats", stop(48, KeyboardInterrupt()))
    lines, images = tmp_path / "cats.partial" / "journal.jsonl", tmp_path / "cats.partial" / "images.raw"
    if harm == "half a line":
        lines.write_bytes(lines.read_bytes()[:-30])
    elif harm == "line lost":
        lines.write_bytes(b"".join(lines.read_bytes().splitlines(keepends=True)[:-1]))
    else:
        os.truncate(images, 0 if harm == "no images" else images.stat().st_size - 99)
    make(path, tmp_path / "cats")
    assert contents(tmp_path / "cats") == contents(tmp_path / "whole")


def test_a_changed_pile_begins_anew(tmp_path: Path) -> None:
    path = piles.folder(tmp_path / "pile", PILE)
    with pytest.raises(KeyboardInterrupt):
        make(path, tmp_path / "cats", stop(48, KeyboardInterrupt()))
    (path / "000.png").unlink()
    decoded: list[int] = []
    make(path, tmp_path / "cats", lambda done, _: decoded.append(done))
    assert decoded[0] == 16


@pytest.mark.parametrize("method", ["append", "images"])
def test_a_full_disk_is_told_and_the_same_command_goes_on(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = piles.folder(tmp_path / "pile", PILE)
    make(path, tmp_path / "whole")
    done = getattr(Journal, method)
    calls: list[int] = []

    def full(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return done(*arguments)

    with monkeypatch.context() as patched, pytest.raises(UserError) as caught:
        patched.setattr(Journal, method, full)
        make(path, tmp_path / "cats")
    assert str(caught.value) == (
        f"out: the disk of {str(tmp_path / 'cats.partial')!r} is full; "
        "make room and give the same command again: it goes on"
    )
    decoded: list[int] = []
    make(path, tmp_path / "cats", lambda now, _: decoded.append(now))
    assert decoded[:1] == ([64] if method == "append" else [])
    assert contents(tmp_path / "cats") == contents(tmp_path / "whole")


def test_a_disk_with_too_little_room_is_told_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = piles.folder(tmp_path / "pile", FILES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**30, 2**30, 2**20))  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"^out: 4 MiB are needed in '.*cats.partial' and 1 are free; make room, or"):
        make(path, tmp_path / "cats")


def test_an_earlier_set_is_replaced_and_anything_else_is_refused(tmp_path: Path) -> None:
    path = piles.folder(tmp_path / "pile", FILES)
    first = make(path, tmp_path / "cats").digest
    assert make(piles.folder(tmp_path / "other", piles.files(80, seed=3)), tmp_path / "cats").digest != first
    assert dataset.read_report(tmp_path / "cats")["source"] == str(tmp_path / "other")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cats", "other", "pile"]
    with pytest.raises(UserError, match=r"^out: '.*pile' is there and is no set of cats; give another OUT=folder$"):
        make(path, path)
    assert len(list(path.iterdir())) == COUNT


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        UserError, match=r"^out: '.*' cannot be written \(Not a directory\); give another STORE= or OUT"
    ):
        make(piles.folder(tmp_path / "pile", FILES), tmp_path / "file" / "cats")


def test_a_folder_without_images_says_what_it_saw(tmp_path: Path) -> None:
    kinds = {"a.txt": b"", "b.txt": b"", "c.csv": b"", "README": b"", ".hidden": b""}
    for i, pack in enumerate([piles.folder, piles.zipped, piles.tarred]):
        path = pack(tmp_path / f"pile{i}.tar", kinds)
        with pytest.raises(UserError) as caught:
            make(path, tmp_path / "cats")
        told = str(caught.value)
        assert told.startswith(f"cats: {str(path)!r} holds no image among its 4 files (2 txt, ")
        assert "1 csv" in told
        assert "1 without a suffix" in told
        assert "; allowed are avif, bmp" in told
        assert not (tmp_path / "cats.partial").exists()


def test_too_few_images_say_what_became_of_them(tmp_path: Path) -> None:
    few = dict(list(FILES.items())[:59])
    path = piles.folder(tmp_path / "pile", {**few, "again.png": FILES["000.png"], "empty.png": b""})
    with pytest.raises(UserError) as caught:
        make(path, tmp_path / "cats")
    told = str(caught.value)
    assert told.startswith(f"cats: 59 of 61 images of {str(path)!r} are left (1 ")
    assert "1 exact duplicate" in told
    assert "1 broken" in told
    assert told.endswith("), 49 + 5 + 5 to train, validation, test; allowed is 60 or more that are not all alike")
    assert not (tmp_path / "cats").exists()


def test_images_that_are_all_alike_cannot_be_split(tmp_path: Path) -> None:
    base = piles.photos(1)[0].astype(np.float32)
    others = piles.photos(300, seed=5).astype(np.float32)
    alike = [np.clip(base * 0.8 + other * 0.2, 0, 255).astype(np.uint8) for other in others]
    path = piles.folder(tmp_path / "pile", {f"{i}.png": piles.encoded(image) for i, image in enumerate(alike)})
    with pytest.raises(UserError, match=r" \+ 0 \+ 0 to train, validation, test; allowed is 60 or more that are not"):
        make(path, tmp_path / "cats")


def test_where_all_images_are_broken_none_is_left(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cats: 0 of 3 images of '.*' are left \(3 broken\), 0 \+ 0 \+ 0 to train"):
        make(piles.folder(tmp_path / "pile", dict.fromkeys(["a.png", "b.jpg", "c.gif"], b"cats")), tmp_path / "cats")
