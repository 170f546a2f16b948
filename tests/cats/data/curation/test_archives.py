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


def one_line(error: pytest.ExceptionInfo[UserError], path: Path) -> str:
    assert len(str(error.value).splitlines()) == 1
    assert repr(str(path)) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_source_is_a_stream_of_its_images_from_any_place_on_and_its_fingerprint_changes_with_them(
    kind: str, tmp_path: Path
) -> None:
    path = WRITERS[kind](tmp_path / kind, FILES | OTHERS)
    source = open_source(path)
    assert dict(source.read(0)) == FILES
    assert list(source.read(5)) == list(source.read(0))[5:]
    assert list(source.read(7)) == []
    assert source.total in (7, None)
    assert source.others == {"txt": 2, "without a suffix": 1}
    assert open_source(path).fingerprint == source.fingerprint
    WRITERS[kind](path, {**FILES, **OTHERS, "a/new.png": b"longer than before"})
    assert open_source(path).fingerprint != source.fingerprint


@pytest.mark.parametrize("kind", ["cats", "cats.tar"])
def test_names_that_are_not_utf8_are_read_with_escapes(kind: str, tmp_path: Path) -> None:
    content = next(iter(FILES.values()))
    source = open_source(WRITERS[kind](tmp_path / kind, {os.fsdecode(b"caf\xe9/chat-\xff.png"): content}))
    assert list(source.read(0)) == [(r"caf\xe9/chat-\xff.png", content)]


@pytest.mark.parametrize(
    ("shape", "dtype"), [((9, 40, 50), np.uint8), ((9, 40, 50, 3), np.uint8), ((9, 40, 50, 4), np.uint16)]
)
def test_an_array_is_a_stream_of_its_rows(shape: tuple[int, ...], dtype: type, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    np.save(tmp_path / "cats.npy", images)
    source = open_source(tmp_path / "cats.npy")
    assert source.total == 9
    read = list(source.read(3))
    assert [name for name, _ in read] == [f"{row:06}" for row in range(3, 9)]
    np.testing.assert_array_equal([image for _, image in read], images[3:])


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


def test_an_archive_with_damaged_bytes_is_one_line(tmp_path: Path) -> None:
    path = raw_images.tarred(tmp_path / "cats.tar.xz", FILES)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2] + bytes(99) + raw[len(raw) // 2 + 99 :])
    with pytest.raises(BadSource, match="is a broken archive") as caught:
        list(open_source(path).read(0))
    one_line(caught, path)


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "..\\evil.png", "C:\\evil.png", "..", "../evil.txt"]
)
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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cats.zip", raw_images.zipped, "is a broken archive"),  # written, and then cut off
        ("cats.tar", raw_images.tarred, "is a broken archive"),
        ("cats.tar.gz", raw_images.tarred, "is a broken archive"),
        ("nothing.tar.gz", b"\x1f\x8b" + bytes(90), "is a broken archive"),
        ("not-there.zip", None, "cannot be read (No such file or directory)"),
        ("cats.txt", b"cats", "is no folder, zip, tar or npy"),
        ("cat.png", FILES["a/000.png"], "is no folder, zip, tar or npy"),
        ("cut-off.npy", b"\x93NUMPY\1\0", "is a broken archive"),
        ("pickles.npy", np.array([{}, []], dtype=object), "is a broken archive"),
        ("floats.npy", np.zeros((3, 9, 9)), "holds float64 [3, 9, 9]; allowed is uint8 or uint16"),
        ("one.npy", np.zeros((9, 9), dtype=np.uint8), "holds uint8 [9, 9]"),
        ("five-channels.npy", np.zeros((3, 9, 9, 5), dtype=np.uint8), "holds uint8 [3, 9, 9, 5]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_reported_in_one_line(name: str, content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        raw = content(path, FILES).read_bytes()
        path.write_bytes(raw[: len(raw) * 3 // 5])
    with pytest.raises(BadSource) as caught:
        list(open_source(path).read(0))
    assert message in one_line(caught, path)
