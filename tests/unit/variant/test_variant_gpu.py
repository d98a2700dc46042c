# SPDX-License-Identifier: Apache-2.0
"""Which GPUs device code runs on: NVIDIA's rules of binary and PTX compatibility."""

from __future__ import annotations

import pytest

from wheelship.variant.accelerator import accelerator_row, accelerator_versions
from wheelship.variant.gpu import DeviceCode, parse_target, targets_text, uncovered


@pytest.mark.parametrize(
    ("code", "runs", "fails"),
    [
        ("sm_80", (80, 86, 89), (75, 90, 120)),
        ("sm_86", (86, 87, 89), (80, 90)),
        ("sm_100", (100, 103), (90, 110, 120)),
        ("sm_120", (120, 121), (100, 130)),
        ("sm_90a", (90,), (89, 91, 100)),
        ("compute_75", (75, 80, 90, 120), (70,)),
        ("compute_120", (120, 130), (100, 90)),
    ],
)
def test_binary_and_ptx_compatibility(
    code: str, runs: tuple[int, ...], fails: tuple[int, ...]
) -> None:
    parsed = parse_target(code)
    assert str(parsed) == code
    assert [sm for sm in (*runs, *fails) if parsed.runs_on(sm)] == list(runs)


def test_uncovered_targets_keep_their_order() -> None:
    held = [DeviceCode(80), DeviceCode(90, specific=True)]
    assert uncovered(held, ["sm_121", "sm_89", "sm_90", "sm_90a", "sm_75"]) == ("sm_121", "sm_75")
    assert uncovered([], ["sm_90"]) == ("sm_90",)
    assert uncovered(held, []) == ()


@pytest.mark.parametrize("text", ["sm90", "sm_9", "SM_90", "sm_90x", "gfx90a", "compute-90"])
def test_other_texts_are_no_targets(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_target(text)


def test_code_is_listed_by_number() -> None:
    codes = [DeviceCode(100), DeviceCode(90, "ptx"), DeviceCode(90), DeviceCode(100)]
    assert targets_text(codes) == "sm_90, compute_90, sm_100"


def test_the_data_names_targets_only() -> None:
    """A row may leave them out; what it says must be readable."""
    for version in accelerator_versions("cuda"):
        for family in accelerator_row("cuda", version).families:
            assert all(str(parse_target(one)) == one for one in family.gpu_targets)
    torch = accelerator_row("cuda", "13.0").family_of("torch")
    assert torch is not None
    assert torch.gpu_targets[0] == "sm_75"
