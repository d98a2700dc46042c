from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import SAMPLE, SPEECH, stretch
from silero_vad.utils_vad import get_speech_timestamps_from_probs

from speech_service.audio import SAMPLE_RATE
from speech_service.vad.detector import open_detector
from speech_service.vad.silero_onnx import OnnxDetector
from speech_service.vad.smoothing import WINDOW, find_spans
from speech_service.vad.span import to_seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speech_service.vad.detector import Detector


@pytest.fixture(scope="module")
def torch() -> Detector:
    return open_detector("torch", 1)


@pytest.fixture(scope="module")
def onnx() -> Detector:
    return open_detector("onnx", 1)


def recordings(sample: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    noise = np.random.default_rng(0).normal(0, 0.02, len(sample)).astype(np.float32)
    return {
        "sample": sample,
        "quiet": sample / 10,
        "noisy": sample + noise,
        "slower": stretch(sample, 18_000),
        "cut while speaking": sample[5 * WINDOW + 3 : 5 * SAMPLE_RATE],
        "noise": noise,
        "silence": np.zeros(3 * SAMPLE_RATE, np.float32),
        "one sample": np.zeros(1, np.float32),
        "nothing": np.zeros(0, np.float32),
    }


def test_both_backends_give_the_same_speech(
    torch: Detector, onnx: Detector, sample: NDArray[np.float32]
) -> None:
    """To the hundredth of a second: the two files of the model hold the same weights."""
    for name, samples in recordings(sample).items():
        assert onnx.find_speech(samples) == torch.find_speech(samples), name
    found = [(one.start, one.end) for one in onnx.find_speech(sample)]
    np.testing.assert_allclose(found, SPEECH, rtol=0, atol=0.25)


def test_a_recording_does_not_hear_the_one_before(
    onnx: Detector, sample: NDArray[np.float32]
) -> None:
    alone = onnx.find_speech(sample)
    onnx.find_speech(sample[: 5 * SAMPLE_RATE])
    assert onnx.find_speech(sample) == alone


@pytest.mark.parametrize("seed", range(50))
def test_smoothing_is_that_of_silero(seed: int) -> None:
    """Its own function is the judge, on opinions that dwell, flip and lie on the thresholds."""
    chance = np.random.default_rng(seed)
    levels = np.array([0.0, 0.2, 0.3499, 0.35, 0.4, 0.4999, 0.5, 0.9])
    runs = chance.integers(1, 1 + chance.integers(1, 20), 60)
    opinions = np.repeat(chance.choice(levels, 60), runs).tolist()
    samples = len(opinions) * WINDOW - int(chance.integers(0, WINDOW))
    expected = get_speech_timestamps_from_probs(opinions, audio_length_samples=samples)
    assert [(one.start, one.end) for one in find_spans(opinions, samples)] == [
        (to_seconds(one["start"]), to_seconds(one["end"])) for one in expected
    ]


@pytest.mark.parametrize("provider", ["MIGraphXExecutionProvider", "CUDAExecutionProvider"])
def test_a_provider_that_is_only_listed_is_not_used(
    provider: str, onnx: Detector, sample: NDArray[np.float32], caplog: pytest.LogCaptureFixture
) -> None:
    """This is what a GPU build of ONNX Runtime says of itself on a machine without the GPU."""
    detector = OnnxDetector(1, available=[provider, "CPUExecutionProvider"])
    assert detector.device == "CPUExecutionProvider"
    (warning,) = (one for one in caplog.records if one.levelname == "WARNING")
    assert warning.getMessage().startswith(f"{provider} does not work here")
    assert detector.find_speech(sample) == onnx.find_speech(sample)


WITHOUT = """
import sys
for name in {missing}:
    sys.modules[name] = None  # importing it fails, as where it is not installed
import soundfile
from speech_service.vad.detector import open_detector
detector = open_detector("{backend}", 1)
samples, _ = soundfile.read({sample!r}, dtype="float32")
print(detector.backend, [(one.start, one.end) for one in detector.find_speech(samples)])
print(*({{"torch", "silero_vad", "onnxruntime"}} & {{n for n, m in sys.modules.items() if m}}))
"""


def run_without(missing: list[str], backend: str) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(missing=missing, backend=backend, sample=str(SAMPLE))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours


@pytest.mark.parametrize("backend", ["auto", "onnx"])
def test_without_torch_onnx_does_it_alone(
    backend: str, onnx: Detector, sample: NDArray[np.float32]
) -> None:
    ran = run_without(["torch"], backend)
    assert ran.returncode == 0, ran.stderr
    found = [(one.start, one.end) for one in onnx.find_speech(sample)]
    assert ran.stdout.splitlines() == [f"onnx {found}", "onnxruntime"]
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("missing", "backend", "advice"),
    [
        (["torch"], "torch", "the torch backend cannot be imported"),
        (["onnxruntime"], "onnx", "pip install 'speech-service[onnx]'"),
        (["torch", "onnxruntime"], "auto", "pip install 'speech-service[onnx]'"),
    ],
)
def test_a_backend_that_is_not_there_ends_the_start(
    missing: list[str], backend: str, advice: str
) -> None:
    ran = run_without(missing, backend)
    assert ran.returncode != 0
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("speech_service.vad.detector.NoBackendError: ")
    assert advice in last
