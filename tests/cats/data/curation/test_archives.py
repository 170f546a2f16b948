"""Folders, archives, arrays and addresses as streams of images; what is bad is told in one line."""

import hashlib
import http.server
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from library.cats.data.curation import archives
from library.cats.data.curation.archives import BadSource, open_source
from library.cats.data.curation.download import download, file_name, is_address
from library.framework.errors import UserError
from tests import piles

FILES = piles.files(7)
MIXED = {
    **FILES,
    "read me.txt": b"cats",
    "a/notes": b"",
    "more.TXT": b"",
    "a/.hidden.png": b"",
    "__MACOSX/b/._1.png": b"",
}
WRITERS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "cats": piles.folder, "cats.zip": piles.zipped, "cats.tar": piles.tarred, "cats.tar.gz": piles.tarred,
    "cats.tar.xz": piles.tarred, "cats.jpg": piles.zipped,
}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", WRITERS)


def one_line(error: pytest.ExceptionInfo[UserError], path: Path) -> str:
    assert len(str(error.value).splitlines()) == 1
    assert repr(str(path)) in str(error.value)
    return str(error.value)


@every_kind
def test_a_pile_is_a_stream_of_its_images_from_any_place_on(kind: str, tmp_path: Path) -> None:
    source = open_source(WRITERS[kind](tmp_path / kind, MIXED))
    assert dict(source.read(0)) == FILES
    assert list(source.read(5)) == list(source.read(0))[5:]
    assert list(source.read(7)) == []
    assert source.total in (7, None)
    assert source.others == {"txt": 2, "without a suffix": 1}


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
def test_the_fingerprint_tells_when_images_changed(kind: str, tmp_path: Path) -> None:
    write = WRITERS[kind]
    path = write(tmp_path / kind, FILES)
    before = open_source(path).fingerprint
    assert open_source(path).fingerprint == before
    write(path, {**FILES, "a/new.png": b"longer than before"})
    assert open_source(path).fingerprint != before


def test_a_file_that_is_too_large_or_cannot_be_read_has_no_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "LARGEST", 5)
    contents = {"a.png": b"12345", "b.png": b"123456"}
    for kind in ("cats", "cats.zip", "cats.tar"):
        path = {"cats": piles.folder, "cats.zip": piles.zipped, "cats.tar": piles.tarred}[kind](
            tmp_path / kind, contents
        )
        assert dict(open_source(path).read(0)) == {"a.png": b"12345", "b.png": None}
    source = open_source(tmp_path / "cats")
    (tmp_path / "cats" / "a.png").unlink()
    assert dict(source.read(0)) == {"a.png": b"", "b.png": None}


def test_an_entry_of_a_zip_that_is_damaged_has_no_content(tmp_path: Path) -> None:
    path = piles.zipped(tmp_path / "cats.zip", FILES)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(FILES["a/002.png"][100:200], bytes(100)))
    assert [name for name, content in open_source(path).read(0) if not content] == ["a/002.png"]


OUTSIDE = ["../evil.png", "a/../../evil.png", "/etc/evil.png", "..\\evil.png", "C:\\evil.png", "..", "../evil.txt"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("write", [piles.zipped, piles.tarred])
def test_an_entry_outside_its_folder_is_refused(write: Callable[..., Path], name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "cats.tar", {**FILES, name: b"evil"})
    with pytest.raises(BadSource, match="has an entry that points outside its folder, ") as caught:
        list(open_source(path).read(0))
    assert repr(name) in one_line(caught, path)
    assert [file.name for file in tmp_path.iterdir()] == ["cats.tar"]


@pytest.mark.parametrize(
    ("name", "target", "kind"),
    [
        ("a/link.png", "../../evil.png", tarfile.SYMTYPE),
        ("link.png", "/etc/passwd", tarfile.SYMTYPE),
        ("a/link", "../..", tarfile.SYMTYPE),
        ("a/link.png", "../evil.png", tarfile.LNKTYPE),
    ],
)
def test_a_link_out_of_a_tar_is_refused(name: str, target: str, kind: bytes, tmp_path: Path) -> None:
    path = piles.tarred(tmp_path / "cats.tar", FILES, piles.link(name, target, kind))
    with pytest.raises(BadSource, match="points outside its folder") as caught:
        list(open_source(path).read(0))
    one_line(caught, path)


def test_links_and_devices_within_a_tar_are_passed_over(tmp_path: Path) -> None:
    within = [piles.link("a/x.png", "../b/001.png"), piles.link("b/y.png", "a/000.png", tarfile.LNKTYPE)]
    path = piles.tarred(tmp_path / "cats.tar", FILES, *within, piles.link("c.png", "", tarfile.CHRTYPE))
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
    "truncated zip": ("cats.zip", cut(piles.zipped), "is a broken archive"),
    "truncated tar": ("cats.tar", cut(piles.tarred), "is a broken archive"),
    "truncated gz": ("cats.tar.gz", cut(piles.tarred), "is a broken archive"),
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
def test_what_cannot_be_read_is_told_in_one_line(kind: str, tmp_path: Path) -> None:
    name, write, told = BROKEN[kind]
    write(tmp_path / name)
    with pytest.raises(BadSource) as caught:
        list(open_source(tmp_path / name).read(0))
    assert told in one_line(caught, tmp_path / name)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves bytes, whole or from some place on, and breaks off where it is told to."""

    content, version, breaks, asked = b"", '"1"', 0, []

    def do_GET(self) -> None:
        cls = type(self)
        start = 0
        cls.asked.append(self.headers.get("Range"))
        if self.path != "/cats.zip?raw=1":
            return self.send_error(404)
        if self.headers.get("If-Range") == cls.version:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(cls.content) - start))
        self.send_header("ETag", cls.version)
        self.end_headers()
        self.wfile.write(cls.content[start : cls.breaks or None])
        return None

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[tuple[type[Server], str]]:
    handler = type("Own", (Server,), {"content": bytes(range(256)) * 99, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield handler, f"http://127.0.0.1:{serving.server_address[1]}/cats.zip?raw=1"
        serving.shutdown()
        thread.join()


def test_a_file_is_downloaded_once_and_its_progress_is_told(server: Any, tmp_path: Path) -> None:
    handler, address = server
    told: list[tuple[int, int | None]] = []
    sha = hashlib.sha256(handler.content).hexdigest()
    for _ in range(2):
        path = download(address, tmp_path / "new", sha.upper(), lambda *now: told.append(now))
        assert path.read_bytes() == handler.content
    assert told[-1] == (len(handler.content),) * 2
    assert handler.asked == [None]


@pytest.mark.parametrize(("version", "asked"), [('"1"', "bytes=9999-"), ('"2"', "bytes=9999-"), ("", None)])
def test_a_download_that_broke_off_goes_on_unless_the_file_changed(
    server: Any, tmp_path: Path, version: str, asked: str | None
) -> None:
    handler, address = server
    handler.breaks, handler.version = 10_000, '"1"' if version else ""
    with pytest.raises(UserError, match=r"broke off \(.*\); give the same command again: it goes on$"):
        download(address, tmp_path, "", lambda *_: None)
    handler.breaks, handler.version = 0, version
    handler.content = handler.content if version == '"1"' else handler.content[::-1]
    assert download(address, tmp_path, "", lambda *_: None).read_bytes() == handler.content
    assert handler.asked == [None, asked]


def test_another_address_does_not_go_on_with_the_file_of_the_first(server: Any, tmp_path: Path) -> None:
    handler, address = server
    download(address, tmp_path, "", lambda *_: None)
    with pytest.raises(UserError, match=r"answers 404 \(Not Found\)"):
        download(f"{address}&other=1", tmp_path, "", lambda *_: None)
    assert handler.asked == [None, None]


def test_a_checksum_that_differs_is_told_and_the_file_is_not_kept(server: Any, tmp_path: Path) -> None:
    handler, address = server
    got = hashlib.sha256(handler.content).hexdigest()
    with pytest.raises(UserError, match=rf"^cats: '{address.replace('?', '[?]')}' has the checksum {got}; SHA256=000"):
        download(address, tmp_path, "0" * 64, lambda *_: None)
    assert [file.name for file in tmp_path.iterdir()] == ["download.tag"]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}/cats.zip", "http://", "http://[", "https://nowhere.invalid/x"]
)
def test_an_address_that_does_not_answer_is_told_in_one_line(address: str, tmp_path: Path) -> None:
    with socket.socket() as taken:  # a port on which no one listens
        taken.bind(("127.0.0.1", 0))
        address = address.format(port=taken.getsockname()[1])
        with pytest.raises(UserError, match="does not answer") as caught:
            download(address, tmp_path, "", lambda *_: None)
    assert len(str(caught.value).splitlines()) == 1


def test_only_http_is_an_address_and_its_file_has_a_name() -> None:
    assert [is_address(one) for one in ("HTTPS://a/b", "http://a", "file:///a", "a", "ftp://a", "drawn")] == [
        True,
        True,
        *[False] * 4,
    ]
    names = [file_name(one) for one in ("http://a.b/c/d%20e.zip?x=1#y", "http://a.b", "http://a.b/c/")]
    assert names == ["d e.zip", "a.b", "c"]
    with pytest.raises(UserError, match=r"^cats: 'http://\[' is no address"):
        file_name("http://[")
