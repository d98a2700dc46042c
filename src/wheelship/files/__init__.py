# SPDX-License-Identifier: Apache-2.0
"""Files on this machine: written in one step, hashed in pieces. Must not know what they hold."""
