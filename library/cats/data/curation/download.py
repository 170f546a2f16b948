"""A file from an http(s) address, whole or not at all; what was interrupted goes on where the server allows it."""

import hashlib
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from library.framework.errors import UserError

_TIMEOUT = 30  # seconds without a byte
_PIECE = 1 << 20
_FAILURES = (OSError, http.client.HTTPException, ValueError)
Show = Callable[[int, int | None], None]


def is_address(cats: str) -> bool:
    """Whether this is an address and not a path."""
    return cats.lower().startswith(("http://", "https://"))


def file_name(address: str) -> str:
    """What the file is called in its address; UserError if that is none."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise UserError(f"cats: {address!r} is no address ({error}); check CATS=") from None
    return unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc


def download(address: str, folder: Path, sha256: str, show: Show) -> Path:
    """Fetches a file into a folder, or finds it there from an earlier time, and returns where it is.

    Args:
        address: http or https.
        folder: is made if it is not there.
        sha256: the checksum that the file must have; empty: any will do.
        show: told after every MiB how many bytes are there, of how many.

    Raises:
        UserError: the address does not answer, breaks off, or its checksum differs; what differs is not kept.
        OSError: the folder cannot be written, or its disk is full; what was fetched is kept.
    """
    whole, part, tag = (folder / name for name in ("download", "download.part", "download.tag"))
    folder.mkdir(parents=True, exist_ok=True)
    if _known(tag)["address"] != address:
        for stale in (whole, part, tag):
            stale.unlink(missing_ok=True)
    if not whole.exists():
        _fetch(address, part, tag, show)
        part.rename(whole)
    _check(address, whole, sha256)
    return whole


def _known(tag: Path) -> dict[str, str]:
    """Where what is there comes from, and which version of it."""
    nothing = {"address": "", "version": ""}
    try:
        return {**nothing, **json.loads(tag.read_text(encoding="utf-8"))}
    except (FileNotFoundError, ValueError):
        return nothing


def _fetch(address: str, part: Path, tag: Path, show: Show) -> None:
    """Fetches what is missing of a file; all of it where the server has another one by now, or cannot say."""
    version = _known(tag)["version"]
    done = max(0, part.stat().st_size - 1) if part.exists() and version else 0  # a byte twice: there is one to ask for
    headers = {"Range": f"bytes={done}-", "If-Range": version} if done else {}
    with _answer(address, headers) as response, part.open("ab") as file:
        file.truncate(done if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0)
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        tag.write_text(json.dumps({"address": address, "version": version}), encoding="utf-8")
        length = response.headers.get("Content-Length")
        total = file.seek(0, os.SEEK_END) + int(length) if length else None
        while piece := _read(address, response):
            file.write(piece)
            show(file.tell(), total)
        if total is not None and file.tell() < total:
            raise _broken_off(address, f"after {file.tell():,} of {total:,} bytes")


def _answer(address: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    try:
        request = urllib.request.Request(address, headers=headers)  # noqa: S310 -- is_address lets no other scheme pass
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            raise UserError(f"cats: {address!r} answers {error.code} ({error.reason}); check CATS=") from None
    except _FAILURES as error:
        told = " ".join(str(getattr(error, "reason", error)).split())[:100]
        raise UserError(f"cats: {address!r} does not answer ({told}); check CATS= and the network") from None
    return response


def _read(address: str, response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_PIECE)
    except _FAILURES as error:
        raise _broken_off(address, " ".join(str(error).split())[:100]) from None


def _broken_off(address: str, told: str) -> UserError:
    return UserError(f"cats: {address!r} broke off ({told}); give the same command again: it goes on")


def _check(address: str, whole: Path, sha256: str) -> None:
    if not sha256:
        return
    with whole.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != sha256.lower():
        whole.unlink()
        raise UserError(f"cats: {address!r} has the checksum {got}; SHA256={sha256.lower()} was to be expected")
