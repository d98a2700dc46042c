# SPDX-License-Identifier: Apache-2.0
"""Values with a notation of their own: sizes, durations, paths, users, addresses.

Each function returns the parsed value or raises :class:`InvalidValue` with a fix; none touches
the disk.
"""

from __future__ import annotations

import re
from posixpath import normpath

from wheelship.request.errors import InvalidValue
from wheelship.wheel.name import normalized

__all__ = [
    "canonical_name",
    "parse_absolute",
    "parse_base",
    "parse_debian_name",
    "parse_duration",
    "parse_glob",
    "parse_relative",
    "parse_repository",
    "parse_signal",
    "parse_size",
    "parse_url",
    "parse_user",
]

_SIZE = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))? ?(B|([KMGT])(i?)B)", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?", re.ASCII)
_USER = re.compile(r"(\d{1,10}):(\d{1,10})", re.ASCII)
_URL = re.compile(r"(?:https?://[^\s/]+|file:///)\S*")
_REPOSITORY_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(
    rf"(?:(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{{1,5}})?/)?{_REPOSITORY_PART}(?:/{_REPOSITORY_PART})*"
)
_DEBIAN_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)

_MAXIMUM_BYTES = 2**63 - 1
_MAXIMUM_ID = 2**32 - 2  # 2**32 - 1 is (uid_t)-1, "no user"
_LONGEST_SECONDS = 24 * 3600
_RESERVED = ("/proc", "/sys", "/dev", "/opt/venv")
# Linux's, whatever system the image is built on, without the two that no program can handle.
_SIGNAL = re.compile(
    "SIG(?:HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CONT|TSTP"
    "|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|PWR|SYS)"
)


def parse_size(value: str | int) -> int:
    """Return the bytes of ``"340 MB"`` (decimal), ``"300 MiB"`` (binary) or a plain number."""
    hint = 'write a number of bytes, or "340 MB" (decimal), "300 MiB" (binary)'
    if isinstance(value, int):
        size = value
    else:
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise InvalidValue(f"{value!r} is no size", hint=hint)
        whole, fraction, _, prefix, binary = match.groups(default="")
        power = "KMGT".index(prefix.upper()) + 1 if prefix else 0
        size = int(whole + fraction) * (1024 if binary else 1000) ** power // 10 ** len(fraction)
    if not 0 < size <= _MAXIMUM_BYTES:
        raise InvalidValue(f"a size of {value!r} makes no sense as a limit", hint=hint)
    return size


def parse_duration(text: str) -> float:
    """Return the seconds of ``"30s"``, ``"2m"``, ``"500ms"`` or a sum such as ``"1m30s"``."""
    hint = 'write "30s", "2m", "500ms" or "1m30s"'
    match = _DURATION.fullmatch(text)
    if match is None or text == "":
        raise InvalidValue(f"{text!r} is no duration", hint=hint)
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    total = ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
    if not 0 < total <= _LONGEST_SECONDS * 1000:
        raise InvalidValue(f"{text!r} is not between 1ms and 24h", hint=hint)
    return total / 1000


def parse_user(text: str) -> tuple[int, int]:
    """Return ``(uid, gid)`` of ``"65532:65532"``.

    Names are refused because engines and Kubernetes' ``runAsNonRoot`` cannot check them, and a
    lone number because engines then run with group 0 (traps §1.1).
    """
    match = _USER.fullmatch(text)
    numbers = (int(match[1]), int(match[2])) if match else (-1, -1)
    if not all(0 <= number <= _MAXIMUM_ID for number in numbers):
        raise InvalidValue(f"{text!r} is not uid:gid in numbers", hint='user = "65532:65532"')
    return numbers


def parse_signal(text: str) -> str:
    """Return the name of a signal that a program on Linux can handle, such as ``"SIGINT"``.

    Only the full name is taken: it is what image-spec (config.md, "StopSignal") shows.
    """
    if _SIGNAL.fullmatch(text):
        return text
    if text in ("SIGKILL", "SIGSTOP"):
        message = f"{text!r} cannot be handled, so the service could not tidy up"
        raise InvalidValue(message, hint='stop-signal = "SIGTERM"')
    name = "SIG" + text.strip().upper().removeprefix("SIG")
    usual = name if _SIGNAL.fullmatch(name) else "SIGINT"
    raise InvalidValue(f"{text!r} is no name of a signal", hint=f'stop-signal = "{usual}"')


def parse_absolute(text: str) -> str:
    """Return a directory of the image without ``//`` and trailing slash.

    ``/``, the kernel's directories and ``/opt/venv``, which images own, are refused.
    """
    if not text.startswith("/") or ".." in text.split("/") or not text.isprintable():
        raise InvalidValue(
            f"{text!r} is not an absolute path inside the image", hint='write it like "/data"'
        )
    path = "/" + normpath(text).lstrip("/")
    if path == "/" or any(path == taken or path.startswith(taken + "/") for taken in _RESERVED):
        raise InvalidValue(
            f"{text!r} cannot be used: it belongs to the system or to wheelship",
            hint='use a directory of its own, for instance "/data"',
        )
    return path


def parse_relative(text: str) -> str:
    """Return the path of a file of the project, relative to its root, normalised."""
    if text in ("", ".") or text.startswith("/") or ".." in text.split("/"):
        raise InvalidValue(
            f"{text!r} is not a path inside the project",
            hint="write it relative to the project's directory",
        )
    return normpath(text)


def parse_glob(text: str) -> str:
    """Return a pattern of files relative to the project (or package) root."""
    pattern = text.removeprefix("./")
    if pattern.strip("/") == "" or pattern.startswith(("/", "!")) or ".." in pattern.split("/"):
        raise InvalidValue(
            f"{text!r} is not a pattern relative to the root",
            hint='write it like "data/*.json" or "**/*.txt"',
        )
    return pattern


def parse_url(text: str) -> str:
    """Return an http, https or file URL as written."""
    if not _URL.fullmatch(text):
        # Not shown: an index address may carry a password.
        raise InvalidValue("is no http, https or file URL", hint='write "https://…"')
    return text


def parse_repository(text: str) -> str:
    """Return an image repository, which has neither tag nor digest (distribution-spec)."""
    if not _REPOSITORY.fullmatch(text):
        raise InvalidValue(
            f"{text!r} is no image repository",
            hint='write it in lower case and without a tag: "ghcr.io/owner/name"',
        )
    return text


def parse_base(text: str) -> str:
    """Return what images are built on: ``debian``, an image in a registry, or in a layout."""
    if text == "debian":
        return text
    hint = 'base = "debian", "python:3.11-slim", "registry.example.org/team/base@sha256:…"'
    if text == "debian-debug":
        raise InvalidValue("'debian-debug' is not supported yet", hint='base = "debian"')
    kind, colon, path = text.partition(":")
    if kind == "oci" and colon:
        if not path.strip(":") or not path.isprintable():
            raise InvalidValue(f"{text!r} names no directory", hint="write it oci:DIR:TAG")
        return text
    from wheelship.oci.reference import InvalidReference, Reference

    try:
        Reference.parse(text)
    except InvalidReference as error:
        raise InvalidValue(error.message, hint=error.hint or hint) from error
    return text


def parse_debian_name(text: str) -> str:
    """Return the name of a Debian package (Debian policy §5.6.7)."""
    if not _DEBIAN_NAME.fullmatch(text):
        raise InvalidValue(
            f"{text!r} is no Debian package name", hint="write the name alone, without a version"
        )
    return text


def canonical_name(text: str) -> str:
    """Return the normalised form of a distribution, extra or group name (PEP 503, PEP 735)."""
    if not _NAME.fullmatch(text):
        raise InvalidValue(
            f"{text!r} is no valid name",
            hint="letters, digits, '.', '_' and '-', with a letter or digit at both ends",
        )
    return normalized(text)
