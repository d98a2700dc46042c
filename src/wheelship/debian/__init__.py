# SPDX-License-Identifier: Apache-2.0
"""Debian packages, from the signature of their archive down to the entries of a base image.

Never runs a program of a package and never opens a connection: bytes come in through
``debian.fetch.Fetch``. Callers need ``lock``, ``mirror.choose_mirrors``, ``resolve.resolve``,
``base.base_entries`` and ``interpreter``; all but ``lock`` are imported when needed.
"""
