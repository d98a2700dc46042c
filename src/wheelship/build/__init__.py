# SPDX-License-Identifier: Apache-2.0
"""The one executor of plans: realises missing layers, assembles the image, fills the sinks."""
