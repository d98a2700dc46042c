# SPDX-License-Identifier: Apache-2.0
"""Where finished images go: what ``--output`` can say, and one module for each kind of place.

Knows neither how an image was planned nor how it was built: it gets a
:class:`~wheelship.sink.model.Parcel`, which a build and an image found elsewhere can both fill.
"""
