# SPDX-License-Identifier: Apache-2.0
"""What differs between images, and whether one grew beyond what was allowed."""
