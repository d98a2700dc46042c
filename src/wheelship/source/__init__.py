# SPDX-License-Identifier: Apache-2.0
"""Where images are read from: layouts, archives, engines and registries, behind one small protocol.

The counterpart of :mod:`wheelship.sink`. A source knows an image's documents at once and opens the
blob of a layer when it is asked to; nothing is unpacked and no layer is fetched before.
"""
