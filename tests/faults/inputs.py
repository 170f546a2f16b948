"""Images, archives and requests as nobody should send them."""

import contextlib
import http.client
import io
import json
import re
import string
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psutil

from library import open_store
from library.framework.cli.main import main
from library.framework.registry.stages import set_stage
from library.framework.serving import sockets
from tests import raw_images
from tests.faults import Faults, Row
from tests.faults.programs import ALL, Program, processes
from tests.versions import NAME, register

IMAGES, ARCHIVES, REQUESTS = 5000, 500, 20_000
KINDS = (".png", ".jpg", ".bmp", ".tiff", ".webp", ".ppm", ".jp2")
OUTSIDE = ("../../evil.png", "/{folder}/evil.png", "a/../../../evil.png", "..\\..\\evil.png", "C:\\evil.png", "a\0.png")
GIB = 1 << 30


def mutated(raw: bytes, random: Random) -> bytes:
    """The bytes with some of them changed, cut, repeated or replaced."""
    content, times = bytearray(raw), random.choice([1, 1, 3, 30])
    for _ in range(times):
        place, length = random.randrange(len(content) + 1), random.choice([1, 4, 100])
        # Most of the formats' structure is at the beginning, and that of a zip at the end.
        place = random.choice([place, min(place, 64), max(0, len(content) - 64)])
        new = random.choice([b"", b"\0" * length, b"\xff" * length, random.randbytes(length), content[:length]])
        content[place : place + random.choice([0, length])] = new
    return bytes(content[: random.randrange(len(content) + 1)] if random.random() < 0.15 else content)


def images(faults: Faults) -> Iterator[Row]:
    """Folders of mutated images, with as many good ones as a set needs."""
    good, done = raw_images.files(80), 0
    while done < (count := faults.count(IMAGES)):
        shown = raw_images.photos(32, seed=done, size=faults.random.choice([33, 96, 300]))
        kinds = [faults.random.choice(KINDS) for _ in shown]
        files = [
            (f"{i}{kind}", raw_images.encoded(one, kind))
            for i, (one, kind) in enumerate(zip(shown, kinds, strict=True))
        ]
        spoiled = {}
        while len(spoiled) < min(1000, count - done):
            name, raw = faults.random.choice(files)
            spoiled[f"{len(spoiled):04}-{name}"] = mutated(raw, faults.random)
        raw_images.folder(faults.folder / str(done) / "images", {**good, **spoiled})
        _curate(faults, done, faults.folder / str(done) / "images")
        done += len(spoiled)
    yield f"{done} mutated images through cats", "0 tracebacks, 0 files outside, < 1 GiB", _measured(faults)


def archives(faults: Faults) -> Iterator[Row]:
    """Zips and tars with entries that point outside, links, bombs and mutated bytes."""
    random, count, good = faults.random, faults.count(ARCHIVES), raw_images.files(70)
    statuses = Counter[int]()
    for number in range(count):
        folder = faults.folder / str(number)
        folder.mkdir()
        few = dict(random.sample(sorted(good.items()), random.choice([3, 3, 3, 70])))
        extra = random.choice(["", "", "outside", "bomb", "odd"])
        if extra == "outside":
            few[random.choice(OUTSIDE).replace("{folder}", str(folder))] = few[min(few)]
        if extra == "bomb":
            few["bomb.png"] = bytes(100 << 20)
        if extra == "odd":
            few |= {name: few[min(few)] for name in ("x" * 250 + ".png", "é\n.png", ".hidden.png", "a/" * 40 + "b.png")}
        kind = random.choice([".zip", ".tar", ".tar.gz", ".tar.xz"])
        if kind == ".zip":
            path = raw_images.zipped(folder / "a.zip", few)
        else:
            target = random.choice(["/etc/passwd", "../../evil.png", "000.png", str(folder)])
            linked = raw_images.link(
                "link.png", target, random.choice([tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
            )
            path = raw_images.tarred(folder / f"a{kind}", few, *([linked] if random.random() < 0.3 else []))
        if random.random() < 0.7:
            path.write_bytes(mutated(path.read_bytes(), random))
        statuses[_curate(faults, number, path)] += 1
    what = f"{count} archives through cats ({statuses[0]} curated, {statuses[2]} refused)"
    yield what, "0 tracebacks, 0 files outside, < 1 GiB", _measured(faults)


def _curate(faults: Faults, number: int, path: Path) -> int:
    """Makes a set; returns the exit status."""
    out, err = io.StringIO(), io.StringIO()
    store, target = faults.folder / "store", faults.folder / f"out-{number}"
    own = (store, target, target.with_name(f"{target.name}.partial"))
    before = set(faults.folder.rglob("*"))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["cats", f"--cats={path}", f"--out={target}", f"--store={store}"], "make", ALL)
        lines = [line for line in err.getvalue().splitlines() if line.startswith("error: ")]
        if status not in (0, 2) or (status == 2 and len(lines) != 1):
            faults.add(number, f"exit status {status}: {err.getvalue()[-500:]}")
    except Exception as error:
        faults.add(number, f"{path.name}: {error!r}")
        status = 1
    left = {one for one in set(faults.folder.rglob("*")) - before if not any(map(one.is_relative_to, own))}
    if left:
        faults.add(number, f"files outside: {left}")
    return int(status)


def _measured(faults: Faults) -> str:
    # Not `getrusage`: its peak is that of the process that started this one, where that is larger.
    [kilobytes] = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    memory = int(kilobytes) * 1024
    if memory > GIB:
        faults.add("memory", f"{memory >> 20} MiB")
    return f"{faults.measured}, {memory >> 20} MiB"


def requests(faults: Faults) -> Iterator[Row]:
    """Mutated requests to a service that runs as the command starts it."""
    program, connection = _serve(faults.folder)
    server, statuses, memory = psutil.Process(program.process.pid), Counter[int](), list[int]()
    count = faults.count(REQUESTS)
    for number in range(count):
        request = _request(faults.random)
        status = _status(connection, *request)
        statuses[status] += 1
        if status >= 500:
            faults.add(number, f"{status} to {str(request)[:500]}")
        if not status and not server.is_running():
            faults.add(number, f"the server ended after {str(request)[:500]}: {program.printed[:3000]}")
            break
        if number in (count // 5, count - 1):
            memory.append(server.memory_info().rss >> 20)
    headers = {"Content-Type": "application/json"}
    status = _status(connection, "POST", "/invocations", headers, b'{"inputs": ["?"]}')
    if status != 200 or "Traceback" in program.printed:
        faults.add("at the end", f"{status} to a right request; printed: {program.printed[:3000]}")
    server.terminate()
    program.join()
    if memory[-1] > memory[0] + 50:
        faults.add("memory", f"{memory} MiB")
    counts = ", ".join(f"{n} x {status or 'closed'}" for status, n in sorted(statuses.items()))
    measured = f"{faults.measured} ({counts}), {memory[0]} MiB, then {memory[-1]}"
    yield f"{count} mutated requests to serve", "0 answers of 500, 0 crashes, memory flat", measured


def _serve(folder: Path) -> tuple[Program, http.client.HTTPConnection]:
    """A service that answers, and a connection to it."""
    root, port = folder / "store", sockets.find_free_port()
    with open_store(root) as store:
        set_stage(NAME, register(store, folder, "01"), force=True)
    arguments = (f"--model={NAME}", f"--port={port}", f"--store={root}")
    program = Program(processes("keras", "fastapi", "uvicorn"), folder / "log", "serve", *arguments)
    while "answers on" not in program.printed:
        program.join(0.2)
    return program, http.client.HTTPConnection(sockets.HOST, port, timeout=3)


def _status(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes
) -> int:
    """That of the answer to a request; 0 if the server, or Python's client, takes it for no HTTP."""
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
    except (http.client.HTTPException, OSError, ValueError):
        connection.close()
        return 0
    return response.status


def _request(random: Random) -> tuple[str, str, dict[str, str], bytes]:
    """A request, wrong in one or several ways."""
    value: Any = random.choice(
        [None, True, 0, -1, 1e308, 10**400, "?", "x" * 10_000, "\0", "\ud800", [], {}, [[]], ["?"], [["?", 1]], [None]]
    )
    for _ in range(random.choice([0, 0, 1, 2, 50])):
        value = random.choice([[value], {"a": value}, {random.choice(string.printable): value}, [value, 1]])
    key = random.choice(["inputs", "inputs", "instances", "dataframe_split", "dataframe_records", "params", "x"])
    body = {key: value} | random.choice([{}, {}, {"params": value}, {"inputs": ["?"]}])
    if random.random() < 0.2:
        body = {"dataframe_split": {"columns": value, "data": value, "index": value}}
    raw = json.dumps(random.choice([body, body, body, value])).encode()
    if random.random() < 0.5:
        raw = mutated(raw, random)
    types = ["application/json"] * 8 + [
        "text/csv",
        "",
        "application/json; charset=utf-16",
        "application/json; charset=x",
        "multipart/form-data",
        "\xff",
    ]
    headers = {"Content-Type": random.choice(types)}
    if random.random() < 0.1:
        name = random.choice(
            ["Content-Length", "Content-Encoding", "Transfer-Encoding", "Expect", "Host", "Accept", "X"]
        )
        headers[name] = random.choice(["-1", "0", "5", "x", "gzip", "chunked", "x" * 70_000, "100-continue"])
    method = random.choice(["POST"] * 40 + ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "X"])
    path = random.choice(
        ["/invocations"] * 60
        + ["/", "/ping", "/version", "/health", "/docs", "/%00", "/invocations/..%2f", "/" + "a" * 5000]
    )
    return method, path, headers, raw
