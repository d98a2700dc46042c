# SPDX-License-Identifier: Apache-2.0
"""All rules, and which of them has a byte that several would claim."""

from __future__ import annotations

from wheelship.inspect.model import Contents, Expectation, Finding
from wheelship.inspect.waste import (
    accelerator_in_cpu_image,
    compiler,
    cuda_twice,
    debug_symbols,
    documentation,
    git_directory,
    headers,
    hidden_by_later_layer,
    identical_files,
    leftover_files,
    package_manager_cache,
    stale_bytecode,
    static_libraries,
    test_suites,
    two_pythons,
    unwanted_gpu_code,
)
from wheelship.inspect.waste.account import Account
from wheelship.inspect.waste.model import Rule
from wheelship.inspect.waste.subject import Subject

__all__ = ["RULES", "find_waste"]

RULES: tuple[Rule, ...] = (
    # Hidden files are no other rule's business: all others look at what a container sees.
    hidden_by_later_layer.RULE,
    # Then what goes as a whole, by the surest sign and the simplest fix first,
    git_directory.RULE,
    package_manager_cache.RULE,
    accelerator_in_cpu_image.RULE,
    cuda_twice.RULE,
    two_pythons.RULE,
    compiler.RULE,
    leftover_files.RULE,
    documentation.RULE,
    # what goes out of packages that stay,
    test_suites.RULE,
    headers.RULE,
    static_libraries.RULE,
    stale_bytecode.RULE,
    # what is left twice when all that is gone,
    identical_files.RULE,
    # and parts of files that stay.
    debug_symbols.RULE,
    unwanted_gpu_code.RULE,
)
"""In the order of precedence: a byte counts for the first rule that claims it."""


def find_waste(contents: Contents, expectation: Expectation) -> tuple[Finding, ...]:
    """Return what the image could do without, most unpacked bytes first.

    No byte counts twice: in each of the three sizes the findings add up to at most the image.
    """
    subject = Subject(contents, expectation)
    account = Account(subject.names)
    found: list[Finding] = []
    claimed = 0
    for rule in RULES:
        if len(account.whole) > claimed:
            claimed = len(account.whole)
            subject = subject.without(account.whole)
        for claim in rule.find(subject):
            finding = account.settle(rule, claim)
            if finding is not None:
                found.append(finding)
    return tuple(sorted(found, key=_rank))


def _rank(finding: Finding) -> tuple[int, str, str, tuple[str, ...]]:
    return -finding.sizes.unpacked, finding.code, finding.title, finding.paths
