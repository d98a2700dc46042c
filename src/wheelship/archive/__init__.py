# SPDX-License-Identifier: Apache-2.0
"""Deterministic layer bytes: tar entries, gzip members, spliced DEFLATE streams, safe unpacking.

Knows nothing of wheels, packages or stores; holds at most a few mebibytes in memory.
"""
