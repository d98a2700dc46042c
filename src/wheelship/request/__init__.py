# SPDX-License-Identifier: Apache-2.0
"""What the user wrote, validated: project, ``[tool.wheelship]`` table, variants, source files.

Reads files of the project only; never the network, the environment or an interpreter.
"""
