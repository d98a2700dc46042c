"""Up to the pipeline and back; the pipeline itself is pyannote's, and its models are not here."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import SAMPLE, encode
from fastapi.testclient import TestClient

from speech_service.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from httpx2 import Response

    from speech_service.settings import Settings

PYANNOTE = """
from types import SimpleNamespace

class Turns:
    def itertracks(self, yield_label):
        assert yield_label
        yield SimpleNamespace(start=3.004, end=6.701), "A", "SPEAKER_01"
        yield SimpleNamespace(start=8.6, end=14.97), "B", "SPEAKER_00"

class Pipeline:
    @classmethod
    def from_pretrained(cls, directory):
        assert (directory / "config.yaml").is_file()
        return cls()

    def to(self, device):
        assert device.type == "cpu"
        return self

    def __call__(self, recording):
        (channels, samples), rate = recording["waveform"].shape, recording["sample_rate"]
        assert (channels, samples, rate) == (1, 225432, 16000)
        return SimpleNamespace(speaker_diarization=Turns())
"""
"""As much of pyannote.audio 4 as the service touches, with an answer that is known."""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "config.yaml").touch()
    return tmp_path / "models"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put a made pyannote before the real one, if that is installed; forget it afterwards."""

    def install(code: str) -> None:
        package = tmp_path / "packages" / "pyannote" / "audio"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
        (package.parent / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path / "packages")

    def forget() -> dict[str, ModuleType]:
        names = [one for one in sys.modules if one.partition(".")[0] == "pyannote"]
        return {name: sys.modules.pop(name) for name in names}

    real = forget()
    yield install
    forget()
    sys.modules.update(real)


def ask(settings: Settings, content: bytes) -> Response:
    with TestClient(create_app(settings)) as client:
        files = {"file": ("a.wav", content)}
        return client.post("/v1/segments", files=files, params={"diarize": True})


def test_turns_of_the_pipeline_are_the_answer(
    settings: Settings, models: Path, install: Callable[[str], None]
) -> None:
    install(PYANNOTE)
    response = ask(replace(settings, pipeline=models), SAMPLE.read_bytes())
    assert response.status_code == 200
    assert response.json()["segments"] == [
        {"start": 3.0, "end": 6.7, "speaker": "SPEAKER_01"},
        {"start": 8.6, "end": 14.09, "speaker": "SPEAKER_00"},
    ]


def test_speech_itself_may_be_found_without_torch(
    settings: Settings, models: Path, install: Callable[[str], None]
) -> None:
    install(PYANNOTE)
    onnx = replace(settings, pipeline=models, backend="onnx")
    assert ask(onnx, SAMPLE.read_bytes()).json()["segments"][0]["speaker"] == "SPEAKER_01"


def test_no_audio_has_no_speakers(
    settings: Settings, models: Path, install: Callable[[str], None]
) -> None:
    install(PYANNOTE)
    nothing = encode(np.zeros(0, np.float32), 16_000)
    assert ask(replace(settings, pipeline=models), nothing).json()["segments"] == []


@pytest.mark.skipif(find_spec("pyannote") is not None, reason="the diarize extra is installed")
def test_without_the_extra_nothing_can_be_done(settings: Settings, models: Path) -> None:
    for pipeline in (models, None):
        response = ask(replace(settings, pipeline=pipeline), SAMPLE.read_bytes())
        assert response.status_code == 501
        assert "speech-service[diarize]" in response.json()["detail"]


def test_a_pyannote_that_cannot_be_imported_tells_why(
    settings: Settings, models: Path, install: Callable[[str], None]
) -> None:
    install('raise OSError("libc10_cuda.so: cannot open shared object file")')
    response = ask(replace(settings, pipeline=models), SAMPLE.read_bytes())
    assert response.status_code == 501
    assert "libc10_cuda.so" in response.json()["detail"]


def test_without_a_pipeline_it_may_come_later(
    settings: Settings, install: Callable[[str], None]
) -> None:
    install(PYANNOTE)
    response = ask(settings, SAMPLE.read_bytes())
    assert response.status_code == 503
    assert "SPEECH_PIPELINE" in response.json()["detail"]


def test_nothing_is_downloaded(
    settings: Settings, tmp_path: Path, install: Callable[[str], None]
) -> None:
    install(PYANNOTE)
    response = ask(replace(settings, pipeline=tmp_path / "not-there"), SAMPLE.read_bytes())
    assert response.status_code == 503
    assert "not-there holds no config.yaml" in response.json()["detail"]


def test_a_pipeline_that_appears_is_used(
    settings: Settings, tmp_path: Path, install: Callable[[str], None]
) -> None:
    install(PYANNOTE)
    files = {"file": ("a.wav", SAMPLE.read_bytes())}
    mounted = replace(settings, pipeline=tmp_path)
    with TestClient(create_app(mounted)) as client:
        before = client.post("/v1/segments", files=files, params={"diarize": True})
        (tmp_path / "config.yaml").touch()
        after = client.post("/v1/segments", files=files, params={"diarize": True})
    assert (before.status_code, after.status_code) == (503, 200)
