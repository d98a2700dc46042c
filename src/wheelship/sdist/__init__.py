# SPDX-License-Identifier: Apache-2.0
"""From a locked source to a wheel of ours: built once, in isolation, and kept in the store.

This package owns how a wheel is built and what it is kept under. What a source needs to be built is
pinned by ``lock``; here nothing is resolved, and nothing but what was pinned is within reach of the
build. Finding a wheel that was built before (:mod:`~wheelship.sdist.find`) imports nothing heavy.
"""
