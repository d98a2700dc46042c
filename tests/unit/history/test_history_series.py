# SPDX-License-Identifier: Apache-2.0
"""Past builds by image."""

from __future__ import annotations

from collections.abc import Callable

from wheelship.history.model import PastBuild
from wheelship.history.series import series_of
from wheelship.oci.platform import Platform

Make = Callable[..., PastBuild]


def test_each_variant_and_platform_has_its_own_course(make: Make) -> None:
    arm = Platform("arm64")
    builds = [
        make(3, variant="cuda"),
        make(0),
        make(1, platform=arm),
        make(2, transfer_bytes=7),
    ]
    cpu, cpu_arm, cuda = series_of(builds)
    assert (cpu.variant, cpu.platform, cpu.builds) == (
        "cpu",
        Platform("amd64"),
        (builds[1], builds[3]),
    )
    assert (cpu_arm.platform, cpu_arm.builds) == (arm, (builds[2],))
    assert (cuda.variant, cuda.builds) == ("cuda", (builds[0],))
    assert cpu.transfer_bytes.values == (300_000_000, 7)
    assert cpu.transfer_bytes.last == cpu.transfer_bytes.least == 7
    assert cpu.transfer_bytes.before == cpu.transfer_bytes.most == 300_000_000
    assert cuda.seconds.before == cuda.seconds.last == 17.25


def test_files_joined_from_several_machines_are_put_in_order(make: Make) -> None:
    here, there = make(5), make(0, time="2026-11-01T13:02:00+01:00")  # 12:02 UTC
    same = make(5, seconds=1.0)
    (one,) = series_of([here, same, there])
    assert one.builds == (there, here, same)
