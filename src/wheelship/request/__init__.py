# SPDX-License-Identifier: Apache-2.0
"""What the user wrote, validated: project, ``[tool.wheelship]`` table, variants, source files.

``read.read_request`` reads the configuration, ``sources.snapshot`` the application's files. Both
read the project's own files and the ``.gitignore`` files of the repository around it; never the
network, the environment or an interpreter. Must not import ``wheelship.wheel``.
"""
