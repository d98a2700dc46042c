# SPDX-License-Identifier: Apache-2.0
"""Deterministic bytecode: sources in, hash-based ``.pyc`` out, made by the image's interpreter."""
