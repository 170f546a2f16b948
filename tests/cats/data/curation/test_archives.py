"""Folders, archives and arrays as streams of images; what cannot be read is reported in one line."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from library.cats.data.curation import archives
from library.cats.data.curation.archives import BadSource, open_source
from library.framework.errors import UserError
from tests import raw_images

FILES = raw_images.files(7)
OTHERS = {"read me.txt": b"cats", "a/notes": b"", "more.TXT": b"", "a/.hidden.png": b"", "__MACOSX/b/._1.png": b""}
WRITERS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "cats": raw_images.folder, "cats.zip": raw_images.zipped, "cats.jpg": raw_images.zipped,
    "cats.tar": raw_images.tarred, "cats.tar.gz": raw_images.tarred, "cats.tar.xz": raw_images.tarred,
}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", WRITERS)


def one_line(error: pytest.ExceptionInfo[UserError], path: Path) -> str:
    assert len(str(error.value).splitlines()) == 1
    assert repr(str(path)) in str(error.value)
    return str(error.value)


@every_kind
def test_a_source_is_a_stream_of_its_images_from_any_place_on(kind: str, tmp_path: Path) -> None:
    source = open_source(WRITERS[kind](tmp_path / kind, FILES | OTHERS))
    assert dict(source.read(0)) == FILES
    assert list(source.read(5)) == list(source.read(0))[5:]
    assert list(source.read(7)) == []
    assert source.total in (7, None)
    assert source.others == {"txt": 2, "without a suffix": 1}


@pytest.mark.parametrize("kind", ["cats", "cats.tar"])
def test_names_that_are_not_utf8_are_read_with_escapes(kind: str, tmp_path: Path) -> None:
    content = next(iter(FILES.values()))
    source = open_source(WRITERS[kind](tmp_path / kind, {os.fsdecode(b"caf\xe9/chat-\xff.png"): content}))
    assert list(source.read(0)) == [(r"caf\xe9/chat-\xff.png", content)]


@pytest.mark.parametrize("shape", [(9, 40, 50), (9, 40, 50, 3), (9, 40, 50, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_array_is_a_stream_of_its_rows(shape: tuple[int, ...], dtype: type, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    np.save(tmp_path / "cats.npy", images)
    source = open_source(tmp_path / "cats.npy")
    assert source.total == 9
    read = list(source.read(3))
    assert [name for name, _ in read] == [f"{row:06}" for row in range(3, 9)]
    np.testing.assert_array_equal([image for _, image in read], images[3:])


@every_kind
def test_the_fingerprint_changes_with_the_images(kind: str, tmp_path: Path) -> None:
    write = WRITERS[kind]
    path = write(tmp_path / kind, FILES)
    before = open_source(path).fingerprint
    assert open_source(path).fingerprint == before
    write(path, {**FILES, "a/new.png": b"longer than before"})
    assert open_source(path).fingerprint != before


def test_a_file_that_cannot_be_read_has_no_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = raw_images.zipped(tmp_path / "cats.zip", FILES)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(FILES["a/002.png"][100:200], bytes(100)))
    assert [name for name, content in open_source(path).read(0) if not content] == ["a/002.png"]
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 5)
    contents = {"a.png": b"12345", "b.png": b"123456"}
    for kind in ("cats", "cats.zip", "cats.tar"):
        assert dict(open_source(WRITERS[kind](tmp_path / kind, contents)).read(0)) == {"a.png": b"12345", "b.png": None}
    source = open_source(tmp_path / "cats")
    (tmp_path / "cats" / "a.png").unlink()
    assert dict(source.read(0)) == {"a.png": b"", "b.png": None}


OUTSIDE = ["../evil.png", "a/../../evil.png", "/etc/evil.png", "..\\evil.png", "C:\\evil.png", "..", "../evil.txt"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("write", [raw_images.zipped, raw_images.tarred])
def test_an_entry_outside_its_folder_is_refused(write: Callable[..., Path], name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "cats.tar", {**FILES, name: b"evil"})
    with pytest.raises(BadSource, match="has an entry that points outside its folder, ") as caught:
        list(open_source(path).read(0))
    assert repr(name) in one_line(caught, path)
    assert [file.name for file in tmp_path.iterdir()] == ["cats.tar"]


def test_links_and_devices_within_a_tar_are_skipped_and_links_out_of_it_refused(tmp_path: Path) -> None:
    outside = [("a/link.png", "../../evil.png"), ("link.png", "/etc/passwd"), ("a/link", "../..")]
    hard = raw_images.link("a/link.png", "../evil.png", tarfile.LNKTYPE)
    for link in (*(raw_images.link(*names) for names in outside), hard):
        path = raw_images.tarred(tmp_path / "cats.tar", FILES, link)
        with pytest.raises(BadSource, match="points outside its folder") as caught:
            list(open_source(path).read(0))
        one_line(caught, path)
    within = [raw_images.link("a/x.png", "../b/001.png"), raw_images.link("b/y.png", "a/000.png", tarfile.LNKTYPE)]
    path = raw_images.tarred(tmp_path / "cats.tar", FILES, *within, raw_images.link("c.png", "", tarfile.CHRTYPE))
    assert dict(open_source(path).read(0)) == FILES


def cut(write: Callable[..., Path], share: float = 0.6) -> Callable[[Path], Any]:
    def written(path: Path) -> None:
        raw = write(path, FILES).read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])

    return written


def save(array: Any) -> Callable[[Path], Any]:
    def written(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, array)

    return written


BROKEN: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "truncated zip": ("cats.zip", cut(raw_images.zipped), "is a broken archive"),
    "truncated tar": ("cats.tar", cut(raw_images.tarred), "is a broken archive"),
    "truncated gz": ("cats.tar.gz", cut(raw_images.tarred), "is a broken archive"),
    "gz of nothing": ("cats.tar.gz", lambda path: path.write_bytes(b"\x1f\x8b" + bytes(90)), "is a broken archive"),
    "not there": ("cats.zip", lambda _: None, "cannot be read (No such file or directory)"),
    "a text": ("cats.txt", lambda path: path.write_text("cats"), "is no folder, zip, tar or npy"),
    "one image": ("cat.png", lambda path: path.write_bytes(FILES["a/000.png"]), "is no folder, zip, tar or npy"),
    "truncated npy": ("cats.npy", lambda path: path.write_bytes(b"\x93NUMPY\1\0"), "is a broken archive"),
    "pickles": ("cats.npy", save(np.array([{}, []], dtype=object)), "is a broken archive"),
    "floats": ("cats.npy", save(np.zeros((3, 9, 9))), "holds float64 [3, 9, 9]; allowed is uint8 or uint16"),
    "one array": ("cats.npy", save(np.zeros((9, 9), dtype=np.uint8)), "holds uint8 [9, 9]"),
    "five channels": ("cats.npy", save(np.zeros((3, 9, 9, 5), dtype=np.uint8)), "holds uint8 [3, 9, 9, 5]"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_read_is_reported_in_one_line(kind: str, tmp_path: Path) -> None:
    name, write, message = BROKEN[kind]
    write(tmp_path / name)
    with pytest.raises(BadSource) as caught:
        list(open_source(tmp_path / name).read(0))
    assert message in one_line(caught, tmp_path / name)
