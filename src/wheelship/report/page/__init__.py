# SPDX-License-Identifier: Apache-2.0
"""One HTML page that explains an image and asks nobody for anything.

``leaves`` makes the items few enough for a page without losing a byte, ``data`` encodes them,
``tables`` and ``chart`` write what can be read without JavaScript, ``make`` puts it all into
``static/page.html``. The scripts in ``static`` run as one, in the order that ``make`` names.
"""
