# SPDX-License-Identifier: Apache-2.0
"""The nouns of the OCI image specification as frozen values: digest, descriptor, config, image."""
