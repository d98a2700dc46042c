# SPDX-License-Identifier: Apache-2.0
"""The command line: reads arguments and environment, calls the core, renders what it returns."""
