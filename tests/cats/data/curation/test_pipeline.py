"""Raw images become a set of cats: what is kept, what is dropped and why, and how a curation resumes."""

import errno
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.cats.data.curation.archives import open_source
from library.cats.data.curation.checkpoint import Checkpoint
from library.cats.data.curation.decoding import decode
from library.cats.data.curation.pipeline import Curation, curate
from library.framework.errors import UserError
from tests import raw_images

COUNT = 120
PHOTOS = raw_images.photos(COUNT)
FILES = {f"{i:03}.png": raw_images.encoded(image) for i, image in enumerate(PHOTOS)}
REPEATED = raw_images.photos(5, seed=1, size=150)
FLAT = np.full((64, 64, 3), 200, dtype=np.uint8)
RAW = {
    **FILES,
    **{f"again/{i:03}.png": FILES[f"{i:03}.png"] for i in range(7)},
    **{f"mirrored/{i:03}.jpg": raw_images.encoded(PHOTOS[i][:, ::-1], ".jpg", 60) for i in range(20, 24)},
    **{f"small/{i}.png": raw_images.encoded(image[::3, ::3]) for i, image in enumerate(REPEATED)},
    **{f"zlarge/{i}.png": raw_images.encoded(image) for i, image in enumerate(REPEATED)},
    "broken.png": FILES["000.png"][:200],
    "empty.jpg": b"",
    "flat.png": raw_images.encoded(FLAT),
    "tiny.png": raw_images.encoded(PHOTOS[9][:20, :20]),
    "notes.txt": b"cats",
}
DROPPED = {"exact duplicate": 7, "near duplicate": 9, "broken": 2, "nearly flat": 1, "too small": 1}


def make(source: Path, folder: Path, show: Any = lambda *_: None) -> Curation:
    return curate(open_source(source), folder, show, chunk_size=16)


def progress(source: Path, folder: Path) -> list[int]:
    """Makes a set, or resumes it, and lists how many images were done after each chunk."""
    done: list[int] = []
    make(source, folder, lambda now, _: done.append(now))
    return done


def interrupt(source: Path, folder: Path, at: int) -> None:
    """Interrupts a curation once `at` images are done."""

    def show(done: int, _: int | None) -> None:
        if done >= at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(source, folder, show)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder of raw images."""
    return raw_images.folder(tmp_path / "raw", RAW)


@pytest.fixture
def whole(raw: Path, tmp_path: Path) -> dict[str, bytes]:
    """The files of a set that was made of them without an interruption."""
    return contents(make(raw, tmp_path / "whole").folder)


def test_what_is_kept_and_what_is_dropped_and_why(raw: Path, tmp_path: Path) -> None:
    curation = make(raw, tmp_path / "sets" / "cats")
    assert Counter(one.reason for one in curation.dropped) == DROPPED
    assert curation.splits == {"train": 101, "validation": 12, "test": 12}
    of = {one.name: one.kept for one in curation.dropped}
    assert {frozenset((name, kept)) for name, kept in of.items() if kept} == {
        *(frozenset((f"again/{i:03}.png", f"{i:03}.png")) for i in range(7)),
        *(frozenset((f"mirrored/{i:03}.jpg", f"{i:03}.png")) for i in range(20, 24)),
        *(frozenset((f"small/{i}.png", f"zlarge/{i}.png")) for i in range(5)),
    }
    assert not any(f"zlarge/{i}.png" in of for i in range(5))  # the copy from the largest original stays
    sheets = curation.sheets
    assert {reason: len(sheet.images) for reason, sheet in sheets.items()} == DROPPED
    exact, near = sheets["exact duplicate"], sheets["near duplicate"]
    assert [sheet for sheet in sheets.values() if sheet.originals is not None] == [exact, near]
    np.testing.assert_array_equal(exact.images, exact.originals)
    assert [float(caption) for caption in near.captions] == sorted(float(caption) for caption in near.captions)
    assert sheets["nearly flat"].images.min() == sheets["nearly flat"].images.max() == 200
    assert list(sheets["too small"].captions) == ["tiny.png"]


def test_the_set_is_one_array_and_a_report(raw: Path, tmp_path: Path) -> None:
    curation = make(raw, tmp_path / "cats")
    assert sorted(contents(tmp_path / "cats")) == ["curation.json", "images.npy"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cats", "raw"]
    report = json.loads((tmp_path / "cats" / "curation.json").read_text())
    assert (report["digest"], report["splits"]) == (curation.digest, curation.splits)
    assert (report["source"], len(report["dropped"])) == (str(tmp_path / "raw"), 20)
    images = np.load(tmp_path / "cats" / "images.npy", mmap_mode="r")
    assert (images.shape, images.dtype) == ((125, 75, 75, 3), np.uint8)
    for image, name in zip(images, report["names"], strict=True):
        np.testing.assert_array_equal(image, decode(RAW[name]).image)
    loaded = dataset.load(CatsConfig(cats=str(tmp_path / "cats")))
    assert loaded.digest == curation.digest
    np.testing.assert_array_equal(np.concatenate([loaded.train, loaded.validation, loaded.test]), images)


def test_the_same_images_make_the_same_set_however_they_are_packed(raw: Path, tmp_path: Path) -> None:
    renamed = {f"x/{99999 - i}{Path(name).suffix}": raw for i, (name, raw) in enumerate(RAW.items())}
    packed = raw, raw_images.zipped(tmp_path / "raw.zip", RAW), raw_images.tarred(tmp_path / "raw.tar.gz", renamed)
    assert len({make(path, tmp_path / f"cats{i}").digest for i, path in enumerate(packed)}) == 1
    np.save(tmp_path / "cats.npy", PHOTOS)
    photos = raw_images.folder(tmp_path / "photos", FILES)
    assert make(tmp_path / "cats.npy", tmp_path / "a").digest == make(photos, tmp_path / "b").digest


@pytest.mark.parametrize("pack", [raw_images.folder, raw_images.zipped, raw_images.tarred])
def test_an_interrupted_curation_resumes_with_the_same_result(pack: Any, tmp_path: Path) -> None:
    path = pack(tmp_path / "raw.tar", RAW)
    for at in (16, 64):
        interrupt(path, tmp_path / "cats", at)
        assert not (tmp_path / "cats").exists()
    assert progress(path, tmp_path / "cats")[0] == 80
    assert contents(tmp_path / "cats") == contents(make(path, tmp_path / "whole").folder)
    if path.is_dir():  # changed images start afresh
        interrupt(path, tmp_path / "others", 48)
        (path / "000.png").unlink()
        assert progress(path, tmp_path / "others")[0] == 16


@pytest.mark.parametrize("harm", ["half a line", "half an image", "no images", "line lost"])
def test_incomplete_writes_are_repeated(harm: str, raw: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    interrupt(raw, tmp_path / "cats", 48)
    lines, images = tmp_path / "cats.partial" / "checkpoint.jsonl", tmp_path / "cats.partial" / "images.raw"
    if harm == "half a line":
        lines.write_bytes(lines.read_bytes()[:-30])
    elif harm == "line lost":
        lines.write_bytes(b"".join(lines.read_bytes().splitlines(keepends=True)[:-1]))
    else:
        os.truncate(images, 0 if harm == "no images" else images.stat().st_size - 99)
    assert contents(make(raw, tmp_path / "cats").folder) == whole


@pytest.mark.parametrize("method", ["append", "images"])
def test_a_full_disk_is_reported_and_the_same_command_resumes(
    method: str, raw: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, calls = getattr(Checkpoint, method), iter(range(9))

    def full(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return done(*arguments)

    told = "is full; make room and give the same command again: it resumes"
    with monkeypatch.context() as patched, pytest.raises(UserError, match=rf"^out: the disk of '.*\.partial' {told}$"):
        patched.setattr(Checkpoint, method, full)
        make(raw, tmp_path / "cats")
    assert progress(raw, tmp_path / "cats")[:1] == ([64] if method == "append" else [])
    assert contents(tmp_path / "cats") == whole
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(UserError, match=r"^out: 5 MiB are needed in '.*more.partial' and 1 are free; make room, or"):
        make(raw, tmp_path / "more")


def test_an_earlier_set_is_replaced_and_no_other_folder(tmp_path: Path) -> None:
    path = raw_images.folder(tmp_path / "raw", FILES)
    first = make(path, tmp_path / "cats").digest
    assert make(raw_images.folder(tmp_path / "other", raw_images.files(80, seed=3)), tmp_path / "cats").digest != first
    assert dataset.read_report(tmp_path / "cats")["source"] == str(tmp_path / "other")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cats", "other", "raw"]
    with pytest.raises(UserError, match=r"^out: '.*raw' exists and is no set of cats; give another OUT=folder$"):
        make(path, path)
    assert len(list(path.iterdir())) == COUNT
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^out: '.*' cannot be written \(Not a directory\); give another store or OUT"):
        make(path, tmp_path / "file" / "cats")


def test_a_source_without_images_is_reported_with_what_it_holds(tmp_path: Path) -> None:
    kinds = {"a.txt": b"", "b.txt": b"", "c.csv": b"", "README": b"", ".hidden": b""}
    for i, pack in enumerate([raw_images.folder, raw_images.zipped, raw_images.tarred]):
        path = pack(tmp_path / f"raw{i}.tar", kinds)
        others = r"\(2 txt, (1 csv, 1 without a suffix|1 without a suffix, 1 csv)\)"
        with pytest.raises(
            UserError, match=rf"^cats: '{path}' holds no image among its 4 files {others}; allowed are av"
        ):
            make(path, tmp_path / "cats")
        assert not (tmp_path / "cats.partial").exists()


def test_too_few_images_are_reported_with_what_was_dropped(tmp_path: Path) -> None:
    few = dict(list(FILES.items())[:59])
    path = raw_images.folder(tmp_path / "raw", {**few, "again.png": FILES["000.png"], "empty.png": b""})
    with pytest.raises(UserError) as caught:
        make(path, tmp_path / "cats")
    message = str(caught.value)
    assert message.startswith(f"cats: 59 of 61 images of {str(path)!r} are left (1 ")
    assert "1 exact duplicate" in message
    assert "1 broken" in message
    assert message.endswith("), 49 + 5 + 5 for train, validation, test; allowed is 60 or more that are not all alike")
    assert not (tmp_path / "cats").exists()
    alike = raw_images.photos(1)[0] * 0.8 + raw_images.photos(300, seed=5) * 0.2
    np.save(tmp_path / "alike.npy", alike.astype(np.uint8))
    with pytest.raises(UserError, match=r" \+ 0 \+ 0 for train, validation, test; allowed is 60 or more that are not"):
        make(tmp_path / "alike.npy", tmp_path / "cats")
    path = raw_images.folder(tmp_path / "bad", dict.fromkeys(["a.png", "b.jpg", "c.gif"], b"cats"))
    with pytest.raises(UserError, match=r"^cats: 0 of 3 images of '.*' are left \(3 broken\), 0 \+ 0 \+ 0 for train"):
        make(path, tmp_path / "cats")
