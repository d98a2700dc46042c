# SPDX-License-Identifier: Apache-2.0
"""Reads a layer once, in little memory, and keeps what was found by the digest of the blob."""
