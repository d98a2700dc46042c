# SPDX-License-Identifier: Apache-2.0
"""What is waste in an image: one module for each rule, named by its code.

A rule looks at a :class:`~wheelship.inspect.waste.subject.Subject` and yields claims: these files,
for this reason. What a claim is worth is counted in one place,
:mod:`wheelship.inspect.waste.account`, so that no byte is counted by two findings. Nothing here
reads a file or prints.
"""
