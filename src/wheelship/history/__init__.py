# SPDX-License-Identifier: Apache-2.0
"""What builds were like: their sizes, times and reuse, one line of JSON each."""
