# SPDX-License-Identifier: Apache-2.0
"""The result of ``wheelship push``: JSON (docs/reference/schema/push.json) and text."""

from __future__ import annotations

from typing import Any

from wheelship.report.size import format_bytes
from wheelship.sink.model import BlobCounts, Delivered

__all__ = ["blobs_document", "push_document", "push_text"]

SCHEMA = "wheelship.push/1"


def push_document(done: Delivered, seconds: float) -> dict[str, Any]:
    """Return the JSON document of a push."""
    return {
        "schema": SCHEMA,
        "references": list(done.references),
        "digest": str(done.digest),
        "moved_bytes": done.moved_bytes,
        "blobs": blobs_document(done.blobs),
        "seconds": round(seconds, 3),
    }


def blobs_document(blobs: BlobCounts | None) -> dict[str, int] | None:
    """Return how many blobs were sent, there already and mounted; None of no push."""
    if blobs is None:
        return None
    return {"sent": blobs.sent, "existing": blobs.existing, "mounted": blobs.mounted}


def push_text(done: Delivered) -> str:
    """Return the summary for a terminal: the names, and what it took."""
    lines = [f"{one}@{done.digest}" for one in done.references]
    if done.blobs is not None:
        lines.append(
            f"  sent {format_bytes(done.moved_bytes)} in {done.blobs.sent} blobs, "
            f"{done.blobs.existing} were there, {done.blobs.mounted} mounted"
        )
    return "\n".join(lines)
