# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with wheels that were chosen for an image; one kind per module (STYLE 2.13).

Each module has ``find``, which looks at a :class:`~wheelship.lock.findings.model.Subject` and
yields findings, and ``CODES``, what its findings mean. Nothing here fetches, opens or raises.
"""
