# SPDX-License-Identifier: Apache-2.0
"""From request and locks to a printable plan of layers and configuration: pure data, no I/O."""
