# SPDX-License-Identifier: Apache-2.0
"""Images in registries (distribution-spec 1.1): who we are there, pull, push.

Credentials go to the registry they are for and to the token service it names, over TLS, and into no
message. A tag is moved last, when everything it leads to is there. This package knows nothing about
what an image is made of.
"""
