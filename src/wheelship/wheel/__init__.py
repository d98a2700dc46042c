# SPDX-License-Identifier: Apache-2.0
"""Wheels read strictly and mapped to the files an installer would make of them, without unpacking.

Never touches the network, a process or the target's Python; refuses a wheel that lies.
"""
