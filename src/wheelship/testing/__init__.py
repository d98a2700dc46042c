# SPDX-License-Identifier: Apache-2.0
"""Test support that ships: makers of wheels, packages and archives, servers with faults."""
