"""What stands behind the endpoints: models and database, started together."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

from speech_service.audio import read_mono
from speech_service.diarization import Diarizer
from speech_service.storage import Recording, RecordingStore
from speech_service.vad.detector import open_detector
from speech_service.vad.span import to_seconds

if TYPE_CHECKING:
    from speech_service.settings import Settings

logger = logging.getLogger(__name__)

ANALYSES_AT_ONCE = 2
"""One in the model and one being decoded: more would only wait, each with its audio in memory."""


class SpeechService:
    """Finds speech and stores it.

    Analyses run on threads of their own. On the web framework's they could take every one, and
    then the health probe would wait behind the audio and a busy service would look like a dead one.
    """

    def __init__(self, settings: Settings) -> None:
        """Load the model and open the database; either failing ends the start, and says why."""
        self._max_seconds = settings.max_seconds
        self.store = RecordingStore(settings.database_url)
        self.detector = open_detector(settings.backend, settings.threads)
        self._diarizer = Diarizer(settings.pipeline, settings.threads)
        self._threads = ThreadPoolExecutor(ANALYSES_AT_ONCE, thread_name_prefix="analysis")
        logger.info("model loaded by %s on %s", self.detector.backend, self.detector.device)

    async def analyse(self, source: BinaryIO, filename: str, *, diarize: bool) -> Recording:
        """Find the speech in an upload and store the result, off the event loop.

        Raises:
            UnreadableAudioError: the upload is no audio.
            AudioTooLongError: it is longer than the settings allow.
            DiarizationNotInstalledError: speakers were asked for in an image that has no such code.
            PipelineMissingError: it has the code, but no models.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._analyse, source, filename, diarize)

    def close(self) -> None:
        """Let running analyses finish, then disconnect."""
        self._threads.shutdown()
        self.store.close()

    def _analyse(self, source: BinaryIO, filename: str, diarize: bool) -> Recording:
        samples = read_mono(source, self._max_seconds)
        find = self._diarizer.find_turns if diarize else self.detector.find_speech
        return self.store.add(filename, to_seconds(len(samples)), find(samples))
