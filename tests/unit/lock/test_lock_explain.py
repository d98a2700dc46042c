# SPDX-License-Identifier: Apache-2.0
"""What is added to uv's explanations: the wheels and indexes that only wheelship left aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelship.lock.errors import IndexUnreachable, SdistOnly, Unresolvable
from wheelship.lock.explain import explained, words
from wheelship.lock.local import find_local_wheels
from wheelship.lock.machine import MachineSources
from wheelship.lock.route import Route

NOWHERE = MachineSources()
TORCH = "torch 2.13.0 cannot be had"


def refused(message: str, hint: str | None = None) -> Unresolvable:
    return Unresolvable(message, explanation="uv's", hint=hint)


def accelerator(**fields: object) -> Route:
    return Route(
        package="torch",
        kind="accelerator",
        index="https://example.org/whl/cpu",
        **fields,  # type: ignore[arg-type]
    )


def test_words_are_names_as_they_are_compared() -> None:
    assert {"typing-extensions", "torch"} <= words("Typing_Extensions needs `torch`==2.13")


def test_an_index_that_was_the_only_one_is_named_with_what_was_left_aside() -> None:
    error = explained(refused(TORCH), [accelerator(unused=("wheels/torch.whl",))], NOWHERE)
    assert type(error) is Unresolvable
    assert error.message.splitlines()[1:] == [
        "note:",
        "  torch was looked for in https://example.org/whl/cpu only",
        "  not used: wheels/torch.whl",
    ]
    assert 'find-links = ["wheels"]' in (error.hint or "")


def test_local_wheels_are_named(tmp_path: Path) -> None:
    name = "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl"
    (tmp_path / name).write_bytes(b"")
    route = Route(package="torch", kind="local", wheels=find_local_wheels([tmp_path]))
    error = explained(refused(TORCH), [route], NOWHERE)
    assert error.message.endswith(f"torch was looked for among local wheels only: {name}")


def test_what_is_about_another_package_stays_as_it_is() -> None:
    error = explained(refused("numpy cannot be had", hint="h"), [accelerator()], NOWHERE)
    assert (error.message, error.hint) == ("numpy cannot be had", "h")


@pytest.mark.parametrize(
    "error",
    [refused(TORCH), SdistOnly(TORCH, explanation="uv's", packages=()), IndexUnreachable(TORCH)],
)
def test_the_kind_of_the_error_stays(error: Unresolvable | IndexUnreachable) -> None:
    assert type(explained(error, [accelerator()], NOWHERE)) is type(error)


def test_ignored_indexes_of_pip_are_told_where_nothing_was_found() -> None:
    machine = MachineSources(ignored_indexes=("file:///old",))
    found = explained(refused("numpy cannot be had"), [], machine)
    assert found.message.endswith("pip's local indexes are not used: file:///old")
    unreachable = explained(IndexUnreachable("numpy"), [], machine)
    assert "file:///old" not in unreachable.message
