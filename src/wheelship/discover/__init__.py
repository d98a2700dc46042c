# SPDX-License-Identifier: Apache-2.0
"""What a project's own files say about how to ship it, for ``wheelship init``.

One module per thing that is discovered; each is a function of the files and of what is known of the
project already. Nothing is executed, no network is asked, and nothing is written: ``propose`` turns
what was found into text, ``place`` says which file that text belongs to.

How a project is started is not found here but in ``wheelship.request``, because a build without any
configuration needs it too. Must not import ``wheelship.lock`` and what is above it.
"""
