# SPDX-License-Identifier: Apache-2.0
"""Uses next to nothing."""
