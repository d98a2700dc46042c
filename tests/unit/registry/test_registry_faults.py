# SPDX-License-Identifier: Apache-2.0
"""Every request of push and pull broken in every way, once and always.

Once: the work succeeds and what it leaves is complete. Always, or where trying again is pointless:
one clear error with exit status 4, and the tag names what it named before. The table is printed in
docs/explanation/faults-registry.md (``--update-golden`` rewrites it).
"""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from wheelship.errors import ExitStatus, NetworkError
from wheelship.oci.platform import Platform
from wheelship.oci.reference import Reference
from wheelship.registry.client import RegistryClient
from wheelship.testing.push import blob_source, describe, make_push
from wheelship.testing.registry import FakeRegistry, RegistryFault

DOCUMENT = Path(__file__).parents[3] / "docs" / "explanation" / "faults-registry.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
OLD, BIG = random.Random(1).randbytes(3000), random.Random(2).randbytes(400_000)
LONG = "sha256:" + "0" * 64
OK, GONE, NO, MISSING = "complete", "unreachable", "registry-denied", "image-not-found"
REFUSED, WRONG, ODD = "registry-refused", "registry-digest-mismatch", "registry-answer"
UNSAFE, LARGE = "registry-unsafe-address", "response-too-large"


@dataclass(frozen=True)
class Row:
    """A request and what is wrong with its answer; what comes of it once and always."""

    request: str
    what: str
    fault: RegistryFault
    once: str
    always: str
    settings: dict[str, Any] = field(default_factory=dict)
    tag_moves: bool = False


REQUESTS = {
    "push: is the layer there?": ("HEAD", "/blobs/"),
    "push: begin an upload": ("POST", "/uploads/"),
    "push: send the layer": ("PUT", "/uploads/"),
    "push: manifest": ("PUT", "/manifests/sha256"),
    "push: tag": ("PUT", "/manifests/1$"),
    "pull: manifest": ("GET", "/manifests/"),
    "pull: configuration or layer": ("GET", "/blobs/sha256"),
    "token": ("GET", "^/token"),
}
PUSH = [name for name in REQUESTS if name.startswith("push")]
PULL = [name for name in REQUESTS if name.startswith("pull")]
TAG, LAYER, SEND = "push: tag", "pull: configuration or layer", "push: send the layer"
MANIFEST, HEAD, BEGIN_UPLOAD = "pull: manifest", PUSH[0], PUSH[1]
TOKEN = {"login": ("me", "password")}


def row(
    request: str, what: str, once: str, always: str, *, moves: bool = False, **fault: Any
) -> Row:
    method, path = REQUESTS[request]
    settings = fault.pop("settings", TOKEN if request == "token" else {})
    changed = {"method": method, "path": path, **fault}
    return Row(request, what, RegistryFault(**changed), once, always, settings, moves)


def everywhere() -> list[Row]:
    """What can happen to any request."""
    found = []
    for request in REQUESTS:
        moves = request == TAG
        # The layer is there when we ask again.
        lost = OK if request == SEND else GONE
        found += [
            row(request, "connection reset before it was done", OK, GONE, break_upload=0),
            row(request, "done, but the answer is lost", OK, lost, reset=True, moves=moves),
            *(
                row(request, f"answer {status}", OK, GONE, status=status)
                for status in (408, 429, 500, 502, 503, 504)
            ),
            row(
                request,
                "429, Retry-After: 2",
                OK,
                GONE,
                status=429,
                headers={"Retry-After": "2"},
            ),
            row(
                request,
                "429, Retry-After: 3600",
                GONE,
                GONE,
                status=429,
                headers={"Retry-After": "3600"},
            ),
            row(request, "answer 403", NO, NO, status=403),
            row(
                request,
                "no answer in time",
                OK,
                lost,
                moves=moves,
                delay_seconds=1.6,
                settings={**(TOKEN if request == "token" else {}), "read_seconds": 0.3},
            ),
        ]
    return found


def redirects() -> list[Row]:
    away = {"Location": "http://127.0.0.1:9/x"}
    found = []
    for request in (*PUSH, *PULL):
        found.append(row(request, "redirected to itself", OK, ODD, loop=True))
        if request.startswith("push") and request != HEAD:
            found += [
                row(
                    request,
                    "redirected to another server",
                    UNSAFE,
                    UNSAFE,
                    status=307,
                    headers=away,
                ),
                row(request, "redirected with 302", ODD, ODD, status=302, headers=away),
            ]
        else:
            found.append(
                row(
                    request,
                    "redirected to a dead server",
                    OK,
                    GONE,
                    status=307,
                    headers=away,
                )
            )
    found.append(row("token", "redirected", ODD, ODD, status=307, headers=away))
    return found


WRONG_DIGEST = {"Docker-Content-Digest": LONG}
NO_DIGEST = frozenset({"Docker-Content-Digest"})
ELSEWHERE = {"Location": "http://127.0.0.1:9/v2/x"}
DAMAGED = b'{"errors": [{"code": "DIGEST_INVALID"}]}'
MOUNT = {"origin": True}
CHUNKS = {"chunk_minimum": 150_000}
PATCH = {"method": "PATCH", "settings": CHUNKS}
SPECIAL = [
    row(HEAD, "answer 404", OK, OK, status=404),
    row(HEAD, "answer 405", OK, OK, status=405),
    row(HEAD, "answer 400", REFUSED, REFUSED, status=400),
    row(HEAD, "wrong digest header", OK, WRONG, headers=WRONG_DIGEST, status=200),
    row(BEGIN_UPLOAD, "answer 404", MISSING, MISSING, status=404),
    row(BEGIN_UPLOAD, "answer 405", REFUSED, REFUSED, status=405),
    row(BEGIN_UPLOAD, "no Location", UNSAFE, UNSAFE, omit=frozenset({"Location"})),
    row(BEGIN_UPLOAD, "Location on another server", UNSAFE, UNSAFE, headers=ELSEWHERE),
    row(BEGIN_UPLOAD, "relative Location", OK, OK, settings={"absolute": False}),
    row(BEGIN_UPLOAD, "mounting and all else refused: 403", OK, NO, status=403, settings=MOUNT),
    row(BEGIN_UPLOAD, "mounting not known", OK, OK, settings={**MOUNT, "mounts": False}),
    row(SEND, "reset within the body", OK, GONE, break_upload=100_000),
    row(SEND, "answer 400", OK, REFUSED, status=400),
    row(SEND, "answer 413", OK, REFUSED, status=413),
    row(SEND, "answer 413 before the body was read", OK, REFUSED, status=413, early=True),
    row(SEND, "answer 416", OK, REFUSED, status=416),
    row(SEND, "upload forgotten: 404", OK, GONE, status=404),
    row(SEND, "wrong digest header", OK, OK, headers=WRONG_DIGEST),
    row(SEND, "no digest header", OK, OK, omit=NO_DIGEST),
    row(SEND, "registry got other bytes", OK, GONE, status=400, body=DAMAGED),
    row(SEND, "chunks demanded", OK, OK, settings=CHUNKS),
    row(SEND, "chunk: reset before it was done", OK, GONE, break_upload=0, **PATCH),
    row(SEND, "chunk: reset within the body", OK, GONE, break_upload=100_000, **PATCH),
    row(SEND, "chunk: done, but the answer is lost", OK, OK, reset=True, **PATCH),
    row(SEND, "chunk: answer 416", OK, REFUSED, status=416, **PATCH),
    row(SEND, "chunk: answer 500", OK, GONE, status=500, **PATCH),
    row(SEND, "chunk: upload forgotten: 404", OK, GONE, status=404, **PATCH),
    row(SEND, "chunk: Range stands still", OK, OK, headers={"Range": "0-0"}, **PATCH),
    row(SEND, "chunk: Range is nonsense", OK, OK, headers={"Range": "all"}, **PATCH),
    row(SEND, "chunk: Location on another server", UNSAFE, UNSAFE, headers=ELSEWHERE, **PATCH),
    row(PUSH[3], "answer 404", REFUSED, REFUSED, status=404),
    row(PUSH[3], "answer 413", REFUSED, REFUSED, status=413),
    row(PUSH[3], "wrong digest header", OK, WRONG, headers=WRONG_DIGEST),
    row(PUSH[3], "no digest header", OK, OK, omit=NO_DIGEST),
    row(TAG, "wrong digest header", OK, WRONG, headers=WRONG_DIGEST, moves=True),
    row(TAG, "no digest header", OK, OK, omit=NO_DIGEST),
    row(TAG, "answer 405: tags cannot be changed", REFUSED, REFUSED, status=405),
    row(MANIFEST, "answer 404", MISSING, MISSING, status=404),
    row(MANIFEST, "body broken off", OK, GONE, truncate=50),
    row(MANIFEST, "reset within the body", OK, GONE, truncate=50, reset=True),
    row(MANIFEST, "another body", OK, WRONG, body=b'{"schemaVersion": 2}'),
    row(MANIFEST, "wrong digest header", OK, WRONG, headers=WRONG_DIGEST),
    row(MANIFEST, "no digest header", OK, OK, omit=NO_DIGEST),
    row(MANIFEST, "gzip that nobody asked for", OK, WRONG, compress=True),
    row(MANIFEST, "a page of HTML", ODD, ODD, body=b"<html>", omit=NO_DIGEST),
    row(MANIFEST, "more than 4 MiB", LARGE, LARGE, body=b" " * 5_000_000),
    row(LAYER, "answer 404", MISSING, MISSING, status=404),
    row(LAYER, "body broken off", OK, GONE, truncate=10),
    row(LAYER, "reset within the body", OK, GONE, truncate=10, reset=True),
    row(LAYER, "another body", OK, WRONG, body=b"x" * len(BIG)),
    row(LAYER, "gzip that nobody asked for", OK, WRONG, compress=True),
    row("token", "a page of HTML", ODD, ODD, body=b"<html>"),
    row("token", "answer 401", NO, NO, status=401),
    row("token", "more than 1 MiB", LARGE, LARGE, body=b" " * 2_000_000),
]  # fmt: skip
BROKEN = {"broken": True}
HASH = "download-hash-mismatch"
LAYER_ONLY = {"path": f"/blobs/{describe(BIG).digest}"}
SPECIAL += [
    row(LAYER, "layer: body broken off", OK, GONE, truncate=100, **LAYER_ONLY),
    row(LAYER, "layer: another body", OK, HASH, body=b"x" * len(BIG), **LAYER_ONLY),
    row(LAYER, "layer: longer", OK, "download-size-mismatch", body=BIG + b"x", **LAYER_ONLY),
    row(LAYER, "layer: gzip", OK, LARGE, compress=True, **LAYER_ONLY),
    row(LAYER, "layer: Range ignored", OK, OK, ignore_range=True, settings=BROKEN, **LAYER_ONLY),
    row(LAYER, "layer: wrong Range", OK, OK, shift_range=7, settings=BROKEN, **LAYER_ONLY),
]  # fmt: skip
ROWS = [*everywhere(), *redirects(), *SPECIAL]


def run(
    registry: FakeRegistry, client: RegistryClient, settings: dict[str, Any], folder: Path
) -> None:
    """Push an image over an old one, or pull it, as ``settings`` say."""
    name = Reference.parse(f"{registry.host}/team/service:1")
    if settings["pull"]:
        found = client.image(name, Platform("amd64"))
        client.blob(name, found.layers[0], folder / "layer")
        assert (folder / "layer").read_bytes() == BIG
        return
    origins = ("base",) if settings.get("origin") else ()
    client.push(name, [make_push(blob_source(BIG, origins=origins))], tags=["1"])


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("row", ROWS, ids=[f"{one.request}: {one.what}" for one in ROWS])
def test_fault(
    registry: FakeRegistry,
    make_client: Callable[..., RegistryClient],
    tmp_path: Path,
    row: Row,
    times: int | None,
) -> None:
    settings = dict(row.settings)
    pull = settings["pull"] = row.request.startswith("pull")
    plain, new = make_client(), make_push(blob_source(BIG))
    name = Reference.parse(f"{registry.host}/team/service:1")
    plain.push(name, [new if pull else make_push(blob_source(OLD))], tags=["1"])
    plain.push(name.with_tag("1"), [make_push(blob_source(OLD))], tags=["old"])
    plain.push(Reference.parse(f"{registry.host}/base"), [new], tags=["1"])
    before = registry.repository("team/service").tags["1"]
    for setting in ("login", "chunk_minimum", "absolute", "mounts"):
        if setting in settings:
            setattr(registry, setting, settings[setting])
    pair = base64.b64encode(b"me:password").decode()
    client = make_client(
        read_seconds=settings.get("read_seconds", 5), auths={registry.host: {"auth": pair}}
    )
    location = dict(row.fault.headers)
    registry.received.clear()
    registry.faults = [replace(row.fault, times=times, headers=location)]
    if settings.get("broken"):
        registry.faults.insert(0, RegistryFault(path=row.fault.path, truncate=1000))
    expected = row.once if times else row.always
    if expected == OK:
        run(registry, client, settings, tmp_path)
        digest = before if pull else str(new.digest)
        assert registry.repository("team/service").tags["1"] == digest
    else:
        with pytest.raises(NetworkError) as caught:
            run(registry, client, settings, tmp_path)
        assert (caught.value.code, caught.value.exit_status) == (expected, ExitStatus.NETWORK)
        assert caught.value.message
        assert "\n" not in caught.value.message.split("expected sha256")[0].strip()
        assert not (tmp_path / "layer").exists()
        allowed = {before, str(new.digest)} if row.tag_moves else {before}
        assert registry.repository("team/service").tags["1"] in allowed
    assert registry.missing("team/service", "1") == []
    assert registry.missing("team/service", "old") == []
    assert met(registry, row.fault) >= 1, "the fault was never met"


def met(registry: FakeRegistry, fault: RegistryFault) -> int:
    return len(registry.requests(fault.method, fault.path))


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (RegistryFault(status=503, times=None), 4),
        (RegistryFault(status=429, headers={"Retry-After": "3600"}, times=None), 1),
        (RegistryFault(status=403, times=None), 1),
        (RegistryFault(status=404, times=None), 1),
    ],
    ids=["503", "429 for an hour", "403", "404"],
)
def test_tries_are_counted(
    registry: FakeRegistry, client: RegistryClient, fault: RegistryFault, tries: int
) -> None:
    """What may pass is tried four times, what will not is tried once."""
    registry.faults.append(replace(fault, path="/manifests/"))
    with pytest.raises(NetworkError):
        client.manifest(Reference.parse(f"{registry.host}/team/service:1"))
    assert len(registry.requests("GET", "/manifests/")) == tries


def test_the_wait_asked_for_is_kept(
    registry: FakeRegistry, client: RegistryClient, naps: Any
) -> None:
    registry.faults.append(RegistryFault(method="HEAD", status=429, headers={"Retry-After": "7"}))
    name = Reference.parse(f"{registry.host}/team/service")
    client.push(name, [make_push(blob_source(BIG))], tags=["1"])
    assert naps.seconds == [7.0]


def table() -> str:
    """Return the rows as a Markdown table, equal outcomes of one request in one row."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for one in ROWS:
        grouped.setdefault((one.request, one.once, one.always), []).append(one.what)
    counts = Counter(outcome for one in ROWS for outcome in (one.once, one.always))
    total = 2 * len(ROWS)
    lines = [
        f"{len(ROWS)} faults, each once and always: {total} combinations.",
        f"{counts[OK]} end complete, {total - counts[OK]} with one error and exit status 4.",
        "",
        "| request | what is broken | once | always |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {request} | {'; '.join(whats)} | {once} | {always} |"
        for (request, once, always), whats in grouped.items()
    ]
    return "\n".join(lines)


def test_the_table_is_published(request: pytest.FixtureRequest) -> None:
    text = DOCUMENT.read_text()
    head, _, rest = text.partition(BEGIN)
    published, _, tail = rest.partition(END)
    if request.config.getoption("--update-golden"):
        DOCUMENT.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}")
        return
    assert published.strip() == table()


def test_a_dead_registry_is_said_to_be_dead(client: RegistryClient) -> None:
    with pytest.raises(NetworkError, match=r"no answer from 127\.0\.0\.1.*refused") as caught:
        client.manifest(Reference.parse("127.0.0.1:9/team/service:1"))
    assert caught.value.code == GONE
    assert json.dumps(caught.value.hint)
