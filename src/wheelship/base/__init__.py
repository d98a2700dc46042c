# SPDX-License-Identifier: Apache-2.0
"""Base images of any origin: found, examined once, locked by digest (DESIGN §8).

Nothing of an image is executed here, and nothing of it is believed that its bytes do not show.
Where images come from is behind the Protocol in :mod:`wheelship.base.source`.
"""
