"""The endpoints: HTTP in, HTTP out, nothing else."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, UploadFile, status
from sqlalchemy.exc import SQLAlchemyError

from speech_service.audio import AudioTooLongError, UnreadableAudioError
from speech_service.diarization import DiarizationNotInstalledError, PipelineMissingError
from speech_service.schemas import Health, RecordingOut, RecordingPage
from speech_service.service import SpeechService
from speech_service.storage import MAX_ID, Recording

logger = logging.getLogger(__name__)
router = APIRouter()


def get_service(request: Request) -> SpeechService:
    """Return the running service; outside the application's lifespan there is none."""
    service: SpeechService | None = getattr(request.app.state, "service", None)
    if service is None:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, "the model is not loaded")
    return service


Service = Annotated[SpeechService, Depends(get_service)]


@router.post("/v1/segments", response_model=RecordingOut, response_model_exclude_none=True)
async def find_segments(service: Service, file: UploadFile, diarize: bool = False) -> Recording:
    """Find the speech in a WAV or FLAC file, and with ``diarize`` who spoke."""
    try:
        return await service.analyse(file.file, file.filename or "", diarize=diarize)
    except UnreadableAudioError as error:
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, str(error)) from error
    except AudioTooLongError as error:
        raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, str(error)) from error
    except DiarizationNotInstalledError as error:
        raise HTTPException(status.HTTP_501_NOT_IMPLEMENTED, str(error)) from error
    except PipelineMissingError as error:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, str(error)) from error


@router.get("/v1/recordings", response_model=RecordingPage, response_model_exclude_none=True)
def list_recordings(
    service: Service,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
) -> dict[str, object]:
    """List analysed recordings, newest first."""
    recordings, total = service.store.page(limit, offset)
    return {"total": total, "recordings": recordings}


@router.get(
    "/v1/recordings/{recording_id}", response_model=RecordingOut, response_model_exclude_none=True
)
def get_recording(service: Service, recording_id: Annotated[int, Path(le=MAX_ID)]) -> Recording:
    """Return one analysed recording."""
    recording = service.store.get(recording_id)
    if recording is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no recording {recording_id}")
    return recording


@router.get("/healthz")
def check_health(service: Service) -> Health:
    """Answer 200 only while the model is loaded and the database answers."""
    try:
        service.store.ping()
    except SQLAlchemyError as error:
        logger.warning("the database does not answer: %s", error)
        raise HTTPException(
            status.HTTP_503_SERVICE_UNAVAILABLE, "the database does not answer"
        ) from error
    return Health(backend=service.detector.backend, device=service.detector.device)
