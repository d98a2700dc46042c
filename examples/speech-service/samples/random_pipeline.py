"""Write a pyannote pipeline of random weights: everything of a real one but the knowledge.

The pretrained ones need an account and a licence. This one shows that an image loads and runs such
a pipeline; who speaks when, it guesses. Needs the ``diarize`` extra.

    python samples/random_pipeline.py DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import yaml
from lightning.pytorch import Trainer
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import XVectorSincNet
from pyannote.audio.models.segmentation import PyanNet

if TYPE_CHECKING:
    from pyannote.audio import Model

SPEAKERS = ["a", "b", "c"]
WINDOW_SECONDS = 10.0
EMBEDDING, PLDA = 512, 128
"""Sizes of a voice's description: what the embedding gives, and what clustering looks at."""

CONFIG = {
    "pipeline": {
        "name": "pyannote.audio.pipelines.SpeakerDiarization",
        "params": {
            "segmentation": "$model/segmentation",
            "embedding": "$model/embedding",
            "plda": "$model/plda",
            "clustering": "AgglomerativeClustering",
        },
    },
    "params": {
        "segmentation": {"min_duration_off": 0.0},
        "clustering": {"method": "centroid", "min_cluster_size": 1, "threshold": 0.7},
    },
}


def save(model: Model, directory: Path) -> None:
    """Write ``model`` as pyannote reads it."""
    directory.mkdir()
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(model)
    trainer.save_checkpoint(directory / "pytorch_model.bin")


def main(directory: Path) -> None:
    """Write the pipeline into the new ``directory``."""
    torch.manual_seed(0)
    directory.mkdir(parents=True)
    segmentation = PyanNet()
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=WINDOW_SECONDS,
        classes=SPEAKERS,
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    segmentation.build()
    save(segmentation, directory / "segmentation")

    embedding = XVectorSincNet(dimension=EMBEDDING)
    embedding.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=WINDOW_SECONDS
    )
    embedding.build()
    save(embedding, directory / "embedding")

    (directory / "plda").mkdir()
    chance = np.random.default_rng(0)
    np.savez(
        directory / "plda" / "xvec_transform.npz",
        mean1=np.zeros(EMBEDDING),
        mean2=np.zeros(PLDA),
        lda=chance.normal(size=(EMBEDDING, PLDA)),
    )
    np.savez(
        directory / "plda" / "plda.npz",
        mu=np.zeros(PLDA),
        tr=np.eye(PLDA),
        psi=np.linspace(2, 1, PLDA),
    )
    (directory / "config.yaml").write_text(yaml.safe_dump(CONFIG))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
