# SPDX-License-Identifier: Apache-2.0
"""Says what torch was built for and multiplies two matrices."""

import torch


def main() -> None:
    """Use a GPU if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    product = torch.ones(64, 64, device=device) @ torch.ones(64, 64, device=device)
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, on {device}: {product[0, 0]}")


if __name__ == "__main__":
    main()
