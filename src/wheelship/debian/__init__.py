# SPDX-License-Identifier: Apache-2.0
"""Debian packages: from the archive's signature down to the entries of a base image.

Owns everything that knows what a suite, a .deb or a maintainer script is. It never runs a program
of a package and never opens a connection: bytes come in through :class:`~.fetch.Fetch`.
"""
