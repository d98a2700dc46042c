# SPDX-License-Identifier: Apache-2.0
"""Accelerators as data: releases, indexes, labels, packages, environment variables (DESIGN §7).

A new CUDA or ROCm release is one ``[[versions]]`` row in ``data/``. This package reads its own data
files and nothing else; it imports neither network nor terminal.
"""
