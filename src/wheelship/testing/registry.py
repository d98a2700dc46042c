# SPDX-License-Identifier: Apache-2.0
"""An image registry on loopback, right by default and faulty on request.

It serves what distribution-spec 1.1 asks of pull and push, keeps all in memory, refuses manifests
whose blobs it lacks as real ones do, and remembers what it was asked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Literal
from urllib.parse import parse_qsl

from wheelship.testing.loopback import LoopbackServer
from wheelship.testing.registry_http import (
    Answer,
    RegistryFault,
    RegistryRequest,
    handler_of,
)

__all__ = ["FakeRegistry", "RegistryFault", "RegistryRequest", "Repository"]

_NAME = r"(?P<name>[a-z0-9._/-]+)"
_UPLOADS = re.compile(rf"/v2/{_NAME}/blobs/uploads/(?P<id>[0-9]*)")
_BLOB = re.compile(rf"/v2/{_NAME}/blobs/(?P<digest>sha256:[0-9a-f]{{64}})")
_MANIFEST = re.compile(rf"/v2/{_NAME}/manifests/(?P<key>[^/]+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_CHUNK = re.compile(r"(\d+)-(\d+)")


@dataclass(slots=True)
class Repository:
    """What a repository holds; manifests are kept by digest, with their media type."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class FakeRegistry(LoopbackServer):
    """A context manager; the server runs while it is entered.

    Attributes:
        repositories: what is there, by name; may be changed at any time.
        faults: what is to go wrong; the first that fits is used.
        received: the requests so far.
        login: user and password, or None for everybody.
        identity_token: accepted by the token service instead of them.
        auth: how it wants them: ``basic``, or ``token`` from ``realm`` (its own ``/token``).
        mounts: whether blobs can be mounted from other repositories.
        chunk_limit / chunk_minimum: size of a PATCH in bytes; the minimum is told and does not
            apply to the last one.
        whole_limit: size of an upload in one request, beyond which the answer is 413.
        absolute: whether Location carries the host.
        token_answer: body of the token service instead of the right one.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.faults: list[RegistryFault] = []
        self.received: list[RegistryRequest] = []
        self.login: tuple[str, str] | None = None
        self.identity_token: str | None = None
        self.auth: Literal["basic", "token"] = "token"
        self.realm: str | None = None
        self.mounts = True
        self.chunk_limit: int | None = None
        self.chunk_minimum: int | None = None
        self.whole_limit: int | None = None
        self.absolute = True
        self.token_answer: bytes | None = None
        self.tokens: dict[str, set[str]] = {}
        self.documents: dict[str, bytes] = {}
        self._uploads: dict[str, bytearray] = {}
        self._counter = 0
        self._lock = Lock()
        super().__init__(handler_of(self))

    def repository(self, name: str) -> Repository:
        """Return the repository, made when it is not there."""
        return self.repositories.setdefault(name, Repository())

    def requests(self, method: str, pattern: str = "") -> list[RegistryRequest]:
        """Return the requests so far by method, and by a regular expression found in the path."""
        return [
            one for one in self.received if one.method == method and re.search(pattern, one.path)
        ]

    def missing(self, name: str, key: str) -> list[str]:
        """Return what ``key`` (tag or digest) leads to and is not there, or is wrong."""
        held = self.repository(name)
        digest = held.tags.get(key, key)
        if digest not in held.manifests:
            return [key]
        document = json.loads(held.manifests[digest][1])
        wrong = [] if _digest(held.manifests[digest][1]) == digest else [digest]
        for child in document.get("manifests", ()):
            wrong += self.missing(name, child["digest"])
        for blob in [*document.get("layers", ()), *filter(None, [document.get("config")])]:
            content = held.blobs.get(blob["digest"])
            if content is None or _digest(content) != blob["digest"]:
                wrong.append(blob["digest"])
        return wrong

    # What follows is the handler's side.

    def fault_for(self, request: RegistryRequest) -> RegistryFault:
        """Remember a request and return the fault it meets, which is used up thereby."""
        with self._lock:
            self.received.append(request)
            for position, fault in enumerate(self.faults):
                if fault.method not in ("", request.method):
                    continue
                if re.search(fault.path, request.path):
                    if fault.times is not None:
                        left = fault.times - 1
                        rest = [replace(fault, times=left)] if left else []
                        self.faults[position : position + 1] = rest
                    return fault
        return RegistryFault()

    def answer(self, request: RegistryRequest, body: bytes) -> Answer:
        """Do what was asked and return status, headers and body."""
        with self._lock:
            if request.path == "/token":
                return self._token(request, body)
            if request.path in self.documents:
                return 200, {}, self.documents[request.path]
            refused = self._refusal(request)
            if refused is not None:
                return refused
            if request.path == "/v2/":
                return 200, {}, b"{}"
            for pattern, act in (
                (_UPLOADS, self._upload),
                (_BLOB, self._blob),
                (_MANIFEST, self._manifest),
            ):
                if match := pattern.fullmatch(request.path):
                    return act(request, match, body)
        return _error(404, "UNSUPPORTED")

    def _refusal(self, request: RegistryRequest) -> Answer | None:
        """Return the answer to somebody who did not prove who they are."""
        if self.login is None:
            return None
        given = request.headers.get("authorization", "")
        if self.auth == "basic":
            if given == _basic(*self.login):
                return None
            return *_error(401, "UNAUTHORIZED")[:1], {"WWW-Authenticate": 'Basic realm="r"'}, b""
        held = self.tokens.get(given.removeprefix("Bearer "), set())
        if _needed(request) <= held:
            return None
        scope = " ".join(sorted(_needed(request)))
        realm = self.realm or f"{self.url}/token"
        asked = f'Bearer realm="{realm}",service="fake registry",scope="{scope}"'
        return 401, {"WWW-Authenticate": asked}, _error(401, "UNAUTHORIZED")[2]

    def _token(self, request: RegistryRequest, body: bytes) -> Answer:
        form = dict(parse_qsl(body.decode()))
        if request.method == "POST":
            right = form.get("refresh_token") == self.identity_token is not None
            scopes = form.get("scope", "").split()
        else:
            right = self.login is not None and request.headers.get("authorization") == _basic(
                *self.login
            )
            scopes = request.query.get("scope", "").split()
        if not right:
            return _error(401, "UNAUTHORIZED")
        self._counter += 1
        text = f"secret-token-{self._counter}"
        self.tokens[text] = {
            f"{name}:{action}"
            for _, name, actions in (one.split(":") for one in scopes)
            for action in actions.split(",")
        }
        if self.token_answer is not None:
            return 200, {}, self.token_answer
        key = "access_token" if request.method == "POST" else "token"
        return 200, {"Content-Type": "application/json"}, json.dumps({key: text}).encode()

    def _blob(self, request: RegistryRequest, match: re.Match[str], body: bytes) -> Answer:
        del body
        content = self.repository(match["name"]).blobs.get(match["digest"])
        if content is None:
            return _error(404, "BLOB_UNKNOWN")
        headers = {
            "Docker-Content-Digest": match["digest"],
            "Content-Type": "application/octet-stream",
        }
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        if asked is None:
            return 200, headers, content
        start, end = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        if start >= len(content):
            return 416, {"Content-Range": f"bytes */{len(content)}"}, b""
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        return 206, headers, content[start : end + 1]

    def _manifest(self, request: RegistryRequest, match: re.Match[str], body: bytes) -> Answer:
        held, key = self.repository(match["name"]), match["key"]
        if request.method == "PUT":
            return self._put_manifest(request, held, key, body)
        digest = held.tags.get(key, key)
        if digest not in held.manifests:
            return _error(404, "MANIFEST_UNKNOWN")
        media_type, content = held.manifests[digest]
        return 200, {"Docker-Content-Digest": digest, "Content-Type": media_type}, content

    def _put_manifest(
        self, request: RegistryRequest, held: Repository, key: str, body: bytes
    ) -> Answer:
        digest = _digest(body)
        if key.startswith("sha256:") and key != digest:
            return _error(400, "DIGEST_INVALID")
        document = json.loads(body)
        blobs = [*document.get("layers", ()), *filter(None, [document.get("config")])]
        children = document.get("manifests", ())
        if any(one["digest"] not in held.blobs for one in blobs) or any(
            one["digest"] not in held.manifests for one in children
        ):
            return _error(404, "MANIFEST_BLOB_UNKNOWN")
        held.manifests[digest] = (request.headers.get("content-type", ""), body)
        if not key.startswith("sha256:"):
            held.tags[key] = digest
        return 201, {"Docker-Content-Digest": digest, "Location": request.path}, b""

    def _upload(self, request: RegistryRequest, match: re.Match[str], body: bytes) -> Answer:
        name, identity = match["name"], match["id"]
        if request.method == "POST":
            return self._begin(request, name)
        if identity not in self._uploads:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "GET":
            return 204, self._upload_headers(name, identity), b""
        if request.method == "PATCH":
            return self._patch(request, name, identity, body)
        return self._finish(request, name, identity, body)

    def _finish(self, request: RegistryRequest, name: str, identity: str, body: bytes) -> Answer:
        data = self._uploads[identity]
        if not data and self.whole_limit is not None and len(body) > self.whole_limit:
            return _error(413, "SIZE_INVALID_WHOLE")
        data += body
        if request.query.get("digest") != _digest(bytes(data)):
            return _error(400, "DIGEST_INVALID")
        del self._uploads[identity]
        digest = request.query["digest"]
        self.repository(name).blobs[digest] = bytes(data)
        location = f"/v2/{name}/blobs/{digest}"
        return 201, {"Docker-Content-Digest": digest, "Location": location}, b""

    def _begin(self, request: RegistryRequest, name: str) -> Answer:
        mount, origin = request.query.get("mount", ""), request.query.get("from", "")
        if mount and self.mounts and mount in self.repository(origin).blobs:
            self.repository(name).blobs[mount] = self.repository(origin).blobs[mount]
            return 201, {"Docker-Content-Digest": mount, "Location": "/"}, b""
        self._counter += 1
        identity = str(self._counter)
        self._uploads[identity] = bytearray()
        return 202, self._upload_headers(name, identity), b""

    def _patch(self, request: RegistryRequest, name: str, identity: str, body: bytes) -> Answer:
        data = self._uploads[identity]
        told = _CHUNK.fullmatch(request.headers.get("content-range", ""))
        too_long = self.chunk_limit is not None and len(body) > self.chunk_limit
        if too_long or told is None or int(told[1]) != len(data):
            return _error(416, "REQUESTED_RANGE_NOT_SATISFIABLE")
        data += body
        return 202, self._upload_headers(name, identity), b""

    def _upload_headers(self, name: str, identity: str) -> dict[str, str]:
        location = f"/v2/{name}/blobs/uploads/{identity}?_state=opaque"
        headers = {
            "Location": f"{self.url}{location}" if self.absolute else location,
            "Range": f"0-{max(len(self._uploads[identity]) - 1, 0)}",
        }
        if self.chunk_minimum is not None:
            headers["OCI-Chunk-Min-Length"] = str(self.chunk_minimum)
        return headers


def _needed(request: RegistryRequest) -> set[str]:
    """Return which permissions a request needs, as ``repository:action``."""
    match = re.match(rf"/v2/{_NAME}/(?:blobs|manifests)/", request.path)
    if match is None:
        return {"/"} if request.path == "/v2/" else set()
    name = match["name"]
    needed = {f"{name}:pull"}
    if request.method not in ("GET", "HEAD"):
        needed.add(f"{name}:push")
    if origin := request.query.get("from"):
        needed.add(f"{origin}:pull")
    return needed


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _error(status: int, code: str) -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": f"it is {code.lower()}"}]}).encode()
    return status, {"Content-Type": "application/json"}, body
