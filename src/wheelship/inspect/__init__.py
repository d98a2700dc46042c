# SPDX-License-Identifier: Apache-2.0
"""Why an image is as big as it is: every byte has one owner, and waste has a name and a fix."""
