# SPDX-License-Identifier: Apache-2.0
"""Bytecode: valid whatever the file times, the same bytes on every machine, never a silent loss."""

from __future__ import annotations

import dis
import importlib.util
import marshal
import os
import re
import shutil
import struct
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from wheelship.bytecode import compiler as module
from wheelship.bytecode import process, worker
from wheelship.bytecode.compiler import Compiler, Module, pyc_path
from wheelship.bytecode.process import CompilerFailed, Interpreter
from wheelship.errors import ExitStatus

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
SITE = "opt/venv/lib/python/site-packages"


def interpreter(*command: str, **environment: str) -> Interpreter:
    return Interpreter(
        command=command or (sys.executable,),
        environment=tuple(environment.items()),
        python=PYTHON,
    )


def modules(sources: dict[str, bytes]) -> list[Module]:
    return [Module(path=path, read=lambda data=data: data) for path, data in sources.items()]  # type: ignore[misc]


def compiled(
    sources: dict[str, bytes], *, jobs: int = 1, using: Interpreter | None = None
) -> dict[str, bytes]:
    compiler = Compiler(using or interpreter(), jobs)
    try:
        return dict(compiler.compile(modules(sources)))
    finally:
        compiler.close()


def code_of(pyc: bytes) -> types.CodeType:
    code = marshal.loads(pyc[16:])  # noqa: S302 - what the compiler under test wrote
    assert isinstance(code, types.CodeType)
    return code


SOURCES = {
    f"{SITE}/pkg/m{number:03}.py": (
        f'"""Module {number}."""\nimport os\nNAMES = {{"a", "b", {number!r}, "common"}}\n'
        f"def f{number}(x):\n    return x in NAMES and (1, 'shared', {number})\n"
    ).encode()
    for number in range(40)
}


def test_bytecode_lies_where_python_looks_for_it() -> None:
    """PEP 3147: ``__pycache__/<module>.<tag>.pyc``."""
    assert pyc_path("opt/a/b.py", "cpython-311") == "opt/a/__pycache__/b.cpython-311.pyc"
    assert pyc_path("b.py", "cpython-313") == "__pycache__/b.cpython-313.pyc"
    expected = importlib.util.cache_from_source(f"/{SITE}/pkg/m.py")
    assert pyc_path(f"{SITE}/pkg/m.py", TAG) == expected.lstrip("/")


def test_files_are_unchecked_hash_pycs() -> None:
    """PEP 552: flags 0b01, then the hash of the source; never looked up at run time."""
    source = b"value = 1\n"
    (pyc,) = compiled({"m.py": source}).values()
    assert pyc[:4] == importlib.util.MAGIC_NUMBER
    assert struct.unpack("<I", pyc[4:8]) == (0b01,)
    assert pyc[8:16] == importlib.util.source_hash(source)


def test_python_runs_it_whatever_the_times(tmp_path: Path) -> None:
    """The reason for hash-based files: layers have fixed times (peers §1, finding 7)."""
    (tmp_path / "m.py").write_text("value = 'from the source'\n")
    for path, pyc in compiled({"m.py": b"value = 'from bytecode'\n"}).items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_bytes(pyc)
    os.utime(tmp_path / "m.py", (1, 1))
    result = subprocess.run(
        [sys.executable, "-c", "import m; print(m.value)"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )
    assert result.stdout == "from bytecode\n"


def test_tracebacks_name_the_file_in_the_image() -> None:
    """``co_filename`` is the absolute path inside the image, in nested code too."""
    found = compiled({f"{SITE}/pkg/m.py": b"def f():\n    def g(): pass\n    return g\n"})
    code = code_of(found[f"{SITE}/pkg/__pycache__/m.{TAG}.pyc"])
    names = {code.co_filename}
    pending = [code]
    while pending:
        for constant in pending.pop().co_consts:
            if isinstance(constant, types.CodeType):
                names.add(constant.co_filename)
                pending.append(constant)
    assert names == {f"/{SITE}/pkg/m.py"}


def test_docstrings_and_assertions_stay() -> None:
    """Optimisation level 0 is what ``python`` without ``-O`` expects under that name."""
    (pyc,) = compiled({"m.py": b'"""Doc."""\nassert x, "kept"\n'}).values()
    code = code_of(pyc)
    assert "Doc." in code.co_consts
    assert "kept" in code.co_consts
    assert "LOAD_ASSERTION_ERROR" in {one.opname for one in dis.get_instructions(code)} or (
        sys.version_info >= (3, 14)
    )


def test_the_order_is_that_of_the_modules() -> None:
    paths = list(compiled(SOURCES, jobs=2))
    assert paths == [pyc_path(path, TAG) for path in SOURCES]


def test_what_cannot_be_compiled_is_left_out() -> None:
    """Templates, Python 2 and test data fail when imported, not when the image is built."""
    sources = {
        "a.py": b"value = 1\n",
        "python2.py": b"print 'hello'\n",
        "template.py": b"{{ name }} = 1 1\n",
        "null.py": b"a = 1\0\n",
        "latin.py": b"a = '\xff'\n",
        "no_such_codec.py": b"# -*- coding: no-such-codec -*-\n",
        "deep.py": b"(" * 5000 + b")" * 5000,
        "indent.py": b"if x:\npass\n",
        "z.py": b"value = 2\n",
    }
    found = compiled(sources)
    assert set(found) == {f"__pycache__/{name}.{TAG}.pyc" for name in ("a", "z")}


@pytest.mark.parametrize(
    "source",
    [b"", b"\xef\xbb\xbfa = 1\n", b"# -*- coding: latin-1 -*-\na = '\xe4'\n", b"a = 1\r\n"],
    ids=["empty", "BOM", "latin-1", "CRLF"],
)
def test_unusual_sources_are_compiled(source: bytes) -> None:
    assert len(compiled({"m.py": source})) == 1


def test_warnings_neither_stop_nor_disturb() -> None:
    """Invalid escapes are common in the wild."""
    assert len(compiled({"m.py": b"a = '\\d'\nassert (a, 'always true')\n"})) == 1


# Determinism


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH_MODULES", 7)


@pytest.mark.usefixtures("small_batches")
def test_the_number_of_jobs_does_not_change_a_byte() -> None:
    """Traps §2: marshal writes what it sees; a batch is one fresh process, whoever runs it."""
    one = compiled(SOURCES, jobs=1)
    assert compiled(SOURCES, jobs=3) == one
    assert compiled(SOURCES, jobs=3) == one
    assert len(one) == len(SOURCES)


_TELLS_PID = f"""
import os, runpy, sys
worker = runpy.run_path({worker.__file__!r})
told = lambda source, *rest, **options: compile(f"PID = {{os.getpid()}}", *rest, **options)
worker["main"].__globals__["compile"] = told
sys.exit(worker["main"](sys.stdin.buffer, sys.stdout.buffer))
"""


@pytest.mark.usefixtures("small_batches")
def test_a_batch_is_compiled_by_a_process_of_its_own() -> None:
    """What one batch leaves behind in a process must not show in the next (traps §2)."""
    using = interpreter(sys.executable, "-c", _TELLS_PID)
    pids = [code_of(pyc).co_consts[0] for pyc in compiled(SOURCES, using=using).values()]
    assert len(pids) == len(SOURCES)
    assert all(len(set(pids[at : at + 7])) == 1 for at in range(0, len(pids), 7))
    assert len(set(pids)) == -(-len(pids) // 7)


def test_where_and_as_whom_it_runs_does_not_change_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Working directory, umask, hash seed, time zone and language of the caller do not count."""
    here = compiled(SOURCES)
    deep = tmp_path / "some/other/place"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    monkeypatch.setenv("PYTHONHASHSEED", "12345")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1234567890")
    umask = os.umask(0o077)
    try:
        assert compiled(SOURCES) == here
    finally:
        os.umask(umask)


def test_where_wheelship_is_installed_does_not_change_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = compiled(SOURCES)
    copy = tmp_path / "another/place/worker.py"
    copy.parent.mkdir(parents=True)
    shutil.copyfile(worker.__file__, copy)
    monkeypatch.setattr(process, "_WORKER", copy)
    assert compiled(SOURCES) == here


def test_the_environment_is_ours_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the caller must not reach the interpreter."""
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    (pyc,) = compiled({"m.py": b'"""Doc."""\n'}).values()
    assert "Doc." in code_of(pyc).co_consts


def test_the_child_gets_the_hash_seed_and_what_it_was_given_only() -> None:
    """Newer Pythons write sets in a fixed order anyway; nothing else may depend on the seed."""
    script = "import os, sys; sys.exit(str(sorted(os.environ.items())))"
    told = "[('LIBRARY', '/x'), ('PYTHONHASHSEED', '0')]"
    child = interpreter(sys.executable, "-c", script, LIBRARY="/x", PYTHONHASHSEED="random")
    with pytest.raises(CompilerFailed) as caught:
        compiled({"m.py": b""}, using=child)
    assert told in re.sub(r"\('LC_CTYPE', '[^']*'\), ", "", caught.value.message)


# Batches


def batch_sizes(sources: Sequence[bytes]) -> list[int]:
    named = {f"m{number}.py": data for number, data in enumerate(sources)}
    return [len(batch) for batch in module._batches(modules(named))]


def test_batches_end_by_count_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed runs of the sorted modules, so that they never depend on the machine."""
    monkeypatch.setattr(module, "_BATCH_MODULES", 4)
    monkeypatch.setattr(module, "_BATCH_BYTES", 100)
    assert batch_sizes([]) == []
    assert batch_sizes([b"x"] * 9) == [4, 4, 1]
    assert batch_sizes([b"x"] * 8) == [4, 4]
    assert batch_sizes([b"x" * 50] * 5) == [2, 2, 1]
    assert batch_sizes([b"x" * 500] * 3) == [1, 1, 1]
    assert batch_sizes([b"x", b"x" * 500, b"x", b"x"]) == [2, 2]


def test_sources_are_read_only_as_far_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most one batch more than there are jobs is held in memory."""
    monkeypatch.setattr(module, "_BATCH_MODULES", 2)
    read: list[int] = []

    def counted() -> Iterator[Module]:
        for number in range(20):
            yield Module(
                path=f"m{number:02}.py", read=lambda number=number: read.append(number) or b""
            )  # type: ignore[misc, func-returns-value]

    compiler = Compiler(interpreter(), 1)
    found = compiler.compile(counted())
    next(found)
    assert len(read) <= 2 * 2
    assert len(list(found)) == 19
    compiler.close()


# Failure


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/bin/false", "ended with status 1: no message"),
        ("/bin/true", "did not answer with bytecode"),
        ("/no/such/python", "cannot be started: No such file or directory"),
        ("/etc/passwd", "cannot be started: Permission denied"),
    ],
)
def test_an_interpreter_that_fails_is_said(command: str, message: str) -> None:
    """Exit 5: the machine cannot run it; the fix is to build without bytecode."""
    with pytest.raises(CompilerFailed, match=message) as caught:
        compiled({"m.py": b""}, using=interpreter(command))
    assert caught.value.exit_status == ExitStatus.MACHINE
    assert caught.value.where == command
    assert 'bytecode = "none"' in (caught.value.hint or "")
    assert f"Python {PYTHON}" in caught.value.message


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; sys.exit('out of ideas')", "ended with status 1: out of ideas"),
        ("import os; os.kill(os.getpid(), 9)", "ended with status -9"),
        ("print('hello')", "did not answer with bytecode"),
        ("import os; os.write(1, b'\\x10\\0\\0\\0abc')", "did not answer with bytecode"),
    ],
)
def test_an_interpreter_that_misbehaves_is_said(script: str, message: str) -> None:
    """The rest of the command line is what it was told to run; it does something else."""
    with pytest.raises(CompilerFailed, match=message):
        compiled({"m.py": b""}, using=interpreter(sys.executable, "-c", script))


def test_a_failing_source_passes_its_own_error_on() -> None:
    def fail() -> bytes:
        raise TimeoutError("the wheel went away")

    compiler = Compiler(interpreter(), 1)
    with pytest.raises(TimeoutError, match="went away"):
        list(compiler.compile([Module(path="m.py", read=fail)]))
    compiler.close()


def test_the_cache_tag_follows_the_version() -> None:
    assert Interpreter(command=("x",), environment=(), python="3.13").tag == "cpython-313"
    assert interpreter().tag == sys.implementation.cache_tag
