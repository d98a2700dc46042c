# SPDX-License-Identifier: Apache-2.0
"""``wheelship completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

import sys

import click

from wheelship.cli.settings import common_options

__all__ = ["command"]


@click.command("completion", epilog='Example: eval "$(wheelship completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
def command(shell: str) -> None:
    """Write the completion of SHELL to stdout, to be read by its start-up file.

    \b
        bash  eval "$(wheelship completion bash)"       in ~/.bashrc
        zsh   eval "$(wheelship completion zsh)"        in ~/.zshrc
        fish  wheelship completion fish | source        in ~/.config/fish/config.fish
    """  # noqa: D301 - the backspace tells click to keep the lines
    from click.shell_completion import get_completion_class

    from wheelship.cli.group import command_group

    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - click knows all of the choices
    script = completion(command_group(), {}, "wheelship", "_WHEELSHIP_COMPLETE").source()
    sys.stdout.write(script + "\n")
