# SPDX-License-Identifier: Apache-2.0
"""Whose a file is: one module for each kind of owner."""
