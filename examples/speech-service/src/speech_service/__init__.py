"""An HTTP service that finds speech in recordings."""
