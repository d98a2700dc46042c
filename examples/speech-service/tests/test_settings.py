from __future__ import annotations

from pathlib import Path

import pytest

from speech_service.settings import Settings, SettingsError


def test_empty_variables_mean_defaults() -> None:
    settings = ("BACKEND", "DATABASE_URL", "MAX_UPLOAD_BYTES", "MAX_SECONDS", "THREADS", "PIPELINE")
    empty = {f"SPEECH_{name}": "" for name in settings}
    assert Settings.from_environment(empty) == Settings.from_environment({}) == Settings()


def test_every_variable_is_read() -> None:
    assert Settings.from_environment(
        {
            "SPEECH_DATABASE_URL": "postgresql+psycopg://db/speech",
            "SPEECH_MAX_UPLOAD_BYTES": "1000",
            "SPEECH_MAX_SECONDS": "60",
            "SPEECH_THREADS": "4",
            "SPEECH_PIPELINE": "/models/diarization",
            "SPEECH_BACKEND": "onnx",
        }
    ) == Settings(
        "postgresql+psycopg://db/speech", 1000, 60, 4, Path("/models/diarization"), "onnx"
    )


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_numbers_must_be_positive(text: str) -> None:
    with pytest.raises(SettingsError, match="SPEECH_THREADS must be a whole number above zero"):
        Settings.from_environment({"SPEECH_THREADS": text})


def test_there_is_no_other_backend() -> None:
    with pytest.raises(SettingsError, match="must be one of auto, torch, onnx, not 'tensorflow'"):
        Settings.from_environment({"SPEECH_BACKEND": "tensorflow"})
