"""The JSON the service answers with."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class SegmentOut(BaseModel):
    """A stretch of speech, in seconds; ``speaker`` only where diarization was asked for."""

    model_config = ConfigDict(from_attributes=True)

    start: float
    end: float
    speaker: str | None = None


class RecordingOut(BaseModel):
    """An analysed recording."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    filename: str
    duration: float
    created_at: datetime
    segments: list[SegmentOut]


class RecordingPage(BaseModel):
    """Part of all recordings; ``total`` counts those outside this page too."""

    total: int
    recordings: list[RecordingOut]


class Health(BaseModel):
    """The service works, and what its model really runs on."""

    status: Literal["ok"] = "ok"
    backend: str
    device: str
