# SPDX-License-Identifier: Apache-2.0
"""Files over HTTP: fetched whole or resumed, hashed while they stream, retried, never trusted.

Nothing appears under its final name before its size and SHA-256 are right; credentials go to the
host they are for and into no message. This package knows nothing about what it fetches.
"""
