"""Downloads are complete, checked and reused, or fail in one line."""

import hashlib
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from library.cats.data.curation.download import download, file_name, is_address
from library.framework.errors import UserError

CONTENT = bytes(range(256)) * 99
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def address(server: Any) -> str:
    """The address of CONTENT."""
    server.files["/cats.zip?raw=1"] = CONTENT
    return f"{server.address}/cats.zip?raw=1"


def test_a_file_is_downloaded_once(
    server: Any, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for sha256 in (SHA256.upper(), "", SHA256):
        path = download(address, tmp_path / "new", sha256)
        assert path.read_bytes() == CONTENT
        assert list((tmp_path / "new").iterdir()) == [path]
    assert len(server.requests) == 1
    assert capsys.readouterr() == ("", "")


def test_what_a_failed_download_left_is_not_complete(server: Any, address: str, tmp_path: Path) -> None:
    server.sent = 10_000
    with pytest.raises(UserError, match=r"cannot be downloaded \(.*got only 10000 out of 25344 bytes\); check it and "):
        download(address, tmp_path, "")
    assert list(tmp_path.iterdir()) == []
    server.sent = None
    assert download(address, tmp_path, "").read_bytes() == CONTENT
    path = download(address, tmp_path, "")
    path.rename(path.with_suffix(".part")).write_bytes(CONTENT[:512])
    assert download(address, tmp_path, "").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]
    path.unlink()
    path.with_suffix(".part").mkdir()
    with pytest.raises(OSError, match="Is a directory"):  # no fault of the network
        download(address, tmp_path, "")


def test_another_address_is_another_file_and_one_of_another_checksum_is_not_kept(
    server: Any, address: str, tmp_path: Path
) -> None:
    path = download(address, tmp_path, "")
    with pytest.raises(UserError, match=r"cannot be downloaded \(HTTP Error 404: Not Found\); check it and the net"):
        download(f"{address}&other=1", tmp_path, "")
    assert (len(server.requests), list(tmp_path.iterdir())) == (2, [path])
    for _ in range(2):  # one found from before, one downloaded
        with pytest.raises(UserError) as caught:
            download(address, tmp_path, "0" * 64)
        assert str(caught.value) == f"cats: {address!r} has the checksum {SHA256}, not SHA256={'0' * 64}; check both"
        assert list(tmp_path.iterdir()) == []
    assert len(server.requests) == 3


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/cats.zip", "http://", "http://["])
def test_an_address_that_does_not_answer_is_reported_in_one_line(address: str, tmp_path: Path) -> None:
    with socket.socket() as taken:  # a port on which no one listens
        taken.bind(("127.0.0.1", 0))
        address = address.format(port=taken.getsockname()[1])
        with pytest.raises(UserError, match=rf"^cats: {re.escape(repr(address))} cannot be downloaded \(.*$"):
            download(address, tmp_path, "")


def test_only_http_is_an_address_and_its_file_has_a_name() -> None:
    given = ("HTTPS://a/b", "http://a", "file:///a", "a", "ftp://a", "drawn")
    assert [is_address(one) for one in given] == [True, True, *[False] * 4]
    names = [file_name(one) for one in ("http://a.b/c/d%20e.zip?x=1#y", "http://a.b", "http://a.b/c/")]
    assert names == ["d e.zip", "a.b", "c"]
    with pytest.raises(UserError, match=r"^cats: 'http://\[' is no address"):
        file_name("http://[")
