# SPDX-License-Identifier: Apache-2.0
"""From requirements to exact wheels: uv resolves, ``pylock.<variant>.toml`` (PEP 751) remembers.

This package owns the lock file of a variant: how it is made, read, compared and selected from. It
downloads no wheel. Reading a selection that was made before (:mod:`~wheelship.lock.selection`) and
saying what a lock depends on (:mod:`~wheelship.lock.inputs`) import nothing heavy; ``packaging``
and uv are touched only when a lock is made or read anew.
"""
