# SPDX-License-Identifier: Apache-2.0
"""Checks a layout or archive against the OCI image specification, with none of our own writers.

Every digest, size and diff_id is computed again and every layer is read with the standard
library's tar and gzip readers, so that a mistake of ours cannot hide itself. This is the oracle of
the tests, and public: :func:`validate`, or ``python -m wheelship.oci.validate PATH``.
"""

from wheelship.oci.validate.check import Report, problems_of_layout, validate

__all__ = ["Report", "problems_of_layout", "validate"]
