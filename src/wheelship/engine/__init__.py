# SPDX-License-Identifier: Apache-2.0
"""Runs images as their users would: under Docker, in namespaces of our own, or at worst bare.

Owns whatever starts processes of an image and whatever asks them questions. Knows images only as
the value :class:`wheelship.engine.model.ImageFiles`; how one is read or built is not its business.
"""
