# SPDX-License-Identifier: Apache-2.0
"""Uses torch as little as can be."""
