# SPDX-License-Identifier: Apache-2.0
"""What is waste in an image: one module for each rule, named by its code."""
