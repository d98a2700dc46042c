# SPDX-License-Identifier: Apache-2.0
"""Prints where the time of a cold build goes on wheelship's side.

The build runs in this process. Calls that inflate, hash, compress and write are timed where they
happen, in CPU seconds of their thread; what is left of the process is Python itself. Compiling is
done by other processes. The second table comes from looking at all threads every few milliseconds.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import deflate
from zlib_ng import zlib_ng

from side import Wheelship
from subject import SUBJECTS, WORK, Project

_SAMPLE_SECONDS = 0.005
_WAITING = ("threading.py", "queue.py", "selectors.py")
_SPENT: dict[str, float] = defaultdict(float)
_GUARD = threading.Lock()


def main() -> None:
    """Build once, cold, and print both tables."""
    parser = argparse.ArgumentParser(prog="bench/profile", description=__doc__)
    parser.add_argument("--subject", default="speech", choices=SUBJECTS)
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="as for bench/run")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--top", type=int, default=20, help="rows of the second table")
    arguments = parser.parse_args()
    work = arguments.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=work) as place:
        found = arguments.wheels if arguments.subject == "cuda" else None
        kept = work / arguments.subject
        project = Project(SUBJECTS[arguments.subject], Path(place), kept, found)
        Wheelship(project).empty()
        os.environ |= project.environ
        sys.argv = [one for one in project.command("--offline") if one != "--json"]
        _time_calls()
        threads: Counter[str] = Counter()
        began, before = time.perf_counter(), _cpu()
        with _sampling(threads):
            _build()
        _report(time.perf_counter() - began, [b - a for a, b in zip(before, _cpu(), strict=True)])
    for where, count in threads.most_common(arguments.top):
        print(f"{count * _SAMPLE_SECONDS:8.2f} s  {where}")


def _build() -> None:
    from wheelship.cli.main import entry

    try:
        entry()
    except SystemExit as ended:
        if ended.code:
            raise


def _cpu() -> tuple[float, float]:
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime, others.ru_utime + others.ru_stime


def _report(seconds: float, cpu: list[float]) -> None:
    own, others = cpu
    _SPENT["Python and the rest"] = own - sum(_SPENT.values())
    _SPENT["compile (other processes)"] = others
    print(f"{seconds:.2f} s, {own + others:.2f} CPU seconds:")
    for name, spent in sorted(_SPENT.items(), key=lambda one: -one[1]):
        print(f"{spent:8.2f} s  {spent / (own + others):4.0%}  {name}")
    print("\nseen in this function of this thread (waiting left out):")


def _timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
        began = time.thread_time()
        try:
            return function(*arguments, **options)
        finally:
            spent = time.thread_time() - began
            with _GUARD:
                _SPENT[name] += spent

    return call


class _Timed:
    """An object one method of which is timed."""

    def __init__(self, inner: object, name: str, method: str) -> None:
        self._inner = inner
        setattr(self, method, _timed(name, getattr(inner, method)))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the object has
        return getattr(self._inner, name)


def _time_calls() -> None:
    """Put timers into the libraries, and around the files that layers are written to."""
    from wheelship.store.store import Store

    sha256, decompressobj = hashlib.sha256, zlib_ng.decompressobj
    work_file, decompressor = Store.work_file, lzma.LZMADecompressor

    def timed_sha256(data: bytes = b"", **options: Any) -> object:  # noqa: ANN401 - passed on
        return _Timed(_timed("hash", sha256)(data, **options), "hash", "update")

    def timed_decompressobj(*arguments: Any, **options: Any) -> object:  # noqa: ANN401 - passed on
        return _Timed(decompressobj(*arguments, **options), "inflate", "decompress")

    @contextmanager
    def timed_work_file(store: Store) -> Iterator[tuple[Any, Path]]:
        with work_file(store) as (stream, path):
            yield _Timed(stream, "write", "write"), path

    def timed_lzma(*arguments: Any, **options: Any) -> object:  # noqa: ANN401 - passed on
        return _Timed(decompressor(*arguments, **options), "unpack Debian's xz", "decompress")

    # mypy is right that these are no classes and methods any more: that is how they are measured.
    lzma.LZMADecompressor = timed_lzma  # type: ignore[assignment, misc]
    hashlib.sha256 = timed_sha256  # type: ignore[assignment]
    zlib_ng.decompressobj = timed_decompressobj
    zlib_ng.crc32 = _timed("CRC-32", zlib_ng.crc32)
    deflate.deflate_compress = _timed("deflate", deflate.deflate_compress)
    Store.work_file = timed_work_file  # type: ignore[method-assign, assignment]


@contextmanager
def _sampling(found: Counter[str]) -> Iterator[None]:
    stop = threading.Event()

    def sample() -> None:
        own = threading.get_ident()
        while not stop.wait(_SAMPLE_SECONDS):
            names = {one.ident: one.name.rstrip("_0123456789") for one in threading.enumerate()}
            for ident, frame in sys._current_frames().items():  # noqa: SLF001 - made for this
                if ident != own and (place := _place(frame)) is not None:
                    found[f"{names.get(ident, '?'):12} {place}"] += 1

    sampler = threading.Thread(target=sample, name="sampler", daemon=True)
    sampler.start()
    try:
        yield
    finally:
        stop.set()
        sampler.join()


def _place(frame: FrameType | None) -> str | None:
    """Return the function that a thread is in, our timers passed over; None if it waits."""
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return None
    code = frame.f_code
    path = Path(code.co_filename)
    if code.co_name == "_worker" or path.name in _WAITING:
        return None
    return f"{'/'.join(path.parts[-2:])}:{code.co_name}"


if __name__ == "__main__":
    main()
