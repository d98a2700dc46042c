# SPDX-License-Identifier: Apache-2.0
"""Results as JSON documents and as text; prints nothing itself."""
