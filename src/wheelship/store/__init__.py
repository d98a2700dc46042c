# SPDX-License-Identifier: Apache-2.0
"""Content-addressed blobs, the memory of which key made which layer, and OCI layouts on disk."""
