# SPDX-License-Identifier: Apache-2.0
"""wheelship: container images from locked wheels and Debian packages, without a Docker daemon."""

__version__ = "0.1.0"
