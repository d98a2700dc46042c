# SPDX-License-Identifier: Apache-2.0
"""Debian packages that an existing Dockerfile installs: which of them a running service needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from wheelship.discover.dockerfile import Dockerfile, Instruction, split_words
from wheelship.discover.model import Found, Place
from wheelship.errors import InputError
from wheelship.request.value import parse_debian_name

__all__ = ["system_packages"]

_IN_THE_BASE = re.compile(
    r"python3?(?:[.\d]*)(?:-(?:minimal|pip|venv|distutils|dev|wheel|setuptools))?"
    r"|ca-certificates|tzdata|libc6|libstdc\+\+6|openssl|libssl[\d.]*|locales"
)
_FOR_BUILDING = re.compile(
    r".*-dev|build-essential|gcc(?:-\d+)?|g\+\+(?:-\d+)?|clang(?:-\d+)?|make|cmake|ninja-build|pkg-config"
    r"|autoconf|automake|libtool|rustc|cargo|git|git-lfs|patch|swig|gfortran"
)
_FOR_PEOPLE = re.compile(
    r"bash|curl|wget|vim(?:-\w+)?|nano|less|htop|procps|iproute2|iputils-ping|net-tools|sudo|unzip|zip|xz-utils"
    r"|gnupg2?|dirmngr|lsb-release|software-properties-common|apt-(?:utils|transport-https)|tini|dumb-init|gosu"
)
_OF_ACCELERATORS = re.compile(r"(?:cuda|nvidia|libcu|libnv|libnccl|rocm|hip|roc|miopen|rccl).*")
_RENAMED = {"libgl1-mesa-glx": "libgl1", "libgl1-mesa-dri": "libgl1"}
_REASONS = (
    (_IN_THE_BASE, "in every image already"),
    (_FOR_BUILDING, "only for building"),
    (_FOR_PEOPLE, "for people in a shell, and there is none"),
    (_OF_ACCELERATORS, "comes with the wheels"),
)
_SEPARATOR = re.compile(r"&&|\|\||[;|\n]")
_BEFORE_A_COMMAND = re.compile(r"\w+=.*|sudo|env|if|then|do|-.*|\(|\{", re.DOTALL)
_WITH_VALUE = ("-o", "-t", "--option", "--target-release", "-c", "--config-file")


def system_packages(
    dockerfile: Dockerfile | None,
) -> tuple[tuple[Found[str], ...], tuple[Found[str], ...]]:
    """Return the packages to propose, and those that are left out with the reason."""
    kept: dict[str, Found[str]] = {}
    dropped: dict[str, Found[str]] = {}
    for instruction in dockerfile.every("RUN") if dockerfile is not None else ():
        for word in _installed(instruction):
            written = re.split(r"[=/]", word, maxsplit=1)[0].partition(":")[0]
            place = Place(dockerfile.path if dockerfile else "", instruction.line_of(written))
            try:
                name = parse_debian_name(_RENAMED.get(written, written))
            except InputError:
                continue  # a variable, a file, a pattern
            reason = next((text for shape, text in _REASONS if shape.fullmatch(name)), None)
            if reason is None:
                why = "apt-get install" if name == written else f"Debian's name for {written}"
                kept.setdefault(name, Found(value=name, why=why, place=place))
            else:
                dropped.setdefault(name, Found(value=name, why=reason, place=place))
    return tuple(kept.values()), tuple(dropped.values())


def _installed(instruction: Instruction) -> Iterator[str]:
    for command in _SEPARATOR.split(instruction.text):
        words = split_words(command.replace("\\\n", " "))
        for at, word in enumerate(words):
            if word.rpartition("/")[2] in ("apt-get", "apt", "aptitude"):
                yield from _arguments(words[at + 1 :])
            if not _BEFORE_A_COMMAND.fullmatch(word):
                break


def _arguments(words: Sequence[str]) -> Iterator[str]:
    """Yield what stands behind ``install`` and is no option."""
    pending = iter(words)
    installing = False
    for word in pending:
        if word in _WITH_VALUE:
            next(pending, None)
        elif word.startswith("-"):
            continue
        elif installing:
            yield word
        elif word == "install":
            installing = True
        else:
            return
