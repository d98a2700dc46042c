# SPDX-License-Identifier: Apache-2.0
"""Reads a line of YAML."""

import yaml

if __name__ == "__main__":
    print(yaml.safe_load("answer: 42"))
