# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import pytest

from wheelship.history.model import PastBuild
from wheelship.inspect.model import Finding, Inspection, Owner, Sizes
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.report.page.data import encoded
from wheelship.report.page.make import inspection_page
from wheelship.testing.inspection import Made, make_inspection

TORCH = Owner("python", "torch", "2.13.0")


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/octet-stream" id="data">([^<]*)</script>', page)
    assert found is not None
    document: dict[str, Any] = json.loads(gzip.decompress(b64decode(found[1])))
    return document


def finding(code: str = "static-libraries", **fields: Any) -> Finding:
    sizes = fields.pop("sizes", Sizes(1, 2, 3))
    given = {"title": "Static libraries", "reason": "r", "fix": "f", "paths": ("opt/a",), **fields}
    return Finding(code=code, sizes=sizes, **given)


def build(time: str, transfer: int, variant: str = "cpu") -> PastBuild:
    return PastBuild(
        time=time,
        name="demo",
        variant=variant,
        platform=Platform("amd64"),
        digest=Digest.of(time.encode()),
        transfer_bytes=transfer,
        unpacked_bytes=3 * transfer,
        seconds=4.2,
        layers=9,
        reused=7,
        fresh_bytes=1000,
    )


def image(**fields: Any) -> Inspection:
    layers = (
        [Made("opt/lib.so", 80_000, TORCH, "shared-object"), Made("opt", entry="directory")],
        [Made("opt/lib.so", 90_000, TORCH, "shared-object"), Made("srv/app.py", 700)],
    )
    return make_inspection(*layers, **fields)


def test_equal_images_give_equal_pages() -> None:
    history = [build("2026-01-01T00:00:00Z", 5), build("2026-01-02T00:00:00Z", 6)]
    first = inspection_page(image(), history=history)
    assert inspection_page(image(), history=list(reversed(history))) == first


def test_the_data_have_the_bytes_of_the_image() -> None:
    """In the archive's order of sizes: transfer, unpacked, effective."""
    inspection = image()
    document = data_of(inspection_page(inspection))
    columns = document["leaves"]
    sizes = inspection.contents.sizes
    unpacked = [
        excess + 512 + -(-effective // 512) * 512
        for excess, effective in zip(columns["excess"], columns["effective"], strict=True)
    ]
    found = [sum(columns["transfer"]), sum(unpacked), sum(columns["effective"])]
    assert found == [sizes.transfer, sizes.unpacked, sizes.effective] == document["sizes"]
    assert sorted(columns["state"]) == [0] * (len(columns["state"]) - 1) + [1]


def test_only_the_pages_own_script_and_style_are_allowed() -> None:
    """The policy names the bytes between the tags; a browser refuses everything else."""
    page = inspection_page(image(), history=[build("2026-01-01T00:00:00Z", 5)])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    for directive, text in (
        ("script-src", re.findall(r"<script>(.*?)</script>", page, re.DOTALL)),
        ("style-src", re.findall(r"<style>(.*?)</style>", page, re.DOTALL)),
    ):
        assert len(text) == 1
        digest = b64encode(hashlib.sha256(text[0].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy[1]
    assert " style=" not in page
    assert not re.search(r"\son[a-z]+=", page.split("<script", 1)[0])


def test_the_page_names_no_other_place() -> None:
    """Nothing is fetched: no address is in it but the name of SVG."""
    page = inspection_page(image(), history=[build("2026-01-01T00:00:00Z", 5)])
    assert set(re.findall(r"\b\w+://[^\s\"'`)]+", page)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", ["</script><b>", "a\u2028b", "\udc80", "]]>", "<!--<script>"])
def test_hostile_names_are_text(name: str) -> None:
    """They reach the page as tables, findings, title and data."""
    harmless = inspection_page(make_inspection([Made("name", 9000)], findings=(finding(),)))
    hostile = inspection_page(
        make_inspection(
            [Made(f"{name}/{name}", 9000, Owner("python", name, name))],
            findings=(finding(title=name, reason=name, fix=name, paths=(name,)),),
            reference=name,
        )
    )
    hostile.encode()
    for mark in ("<script", "</script", "<!--", "<b>", "\u2028", "]]>"):
        assert hostile.count(mark) == harmless.count(mark)


def test_an_image_that_does_not_compress_still_fits() -> None:
    """Names of random digits: the limit is kept by counting more of them together."""
    source = random.Random(7)
    files = [Made(f"opt/{source.randbytes(40).hex()}", source.randrange(9000)) for _ in range(4000)]
    inspection = make_inspection(files)
    forest, text = encoded(inspection, limit=60_000)
    assert len(text) <= 60_000
    assert sum((one.sizes for one in forest.leaves), Sizes()) == inspection.contents.sizes
    named = [one for one in forest.leaves if one.name]
    assert 300 < len(named) < 3000
    assert min(one.sizes.effective for one in named if one.files) > 5000


def test_unknown_transfer_is_said_not_shown() -> None:
    """What ``docker save`` writes is nobody's download."""
    from dataclasses import replace

    inspection = image(findings=(finding(),))
    unknown = replace(inspection, contents=replace(inspection.contents, transfer_known=False))
    page = inspection_page(unknown)
    assert re.search(r'value="transfer" disabled>.*?<b>unknown</b>', page)
    assert '<span class="transfer"><b>unknown</b> transfer</span>' in page
    cells = re.findall(r'<td class="num transfer">(.*?)</td>', page)
    assert cells
    assert set(cells) == {"unknown"}


def test_findings_of_one_code_can_be_told_apart() -> None:
    document = data_of(inspection_page(image(findings=(finding(), finding("x"), finding()))))
    assert document["findings"] == ["static-libraries", "x", "static-libraries-2"]


def test_a_finding_that_could_not_be_counted_shows_no_zeros() -> None:
    """Such as GPU code, as long as nobody said for which GPUs the image is meant."""
    page = inspection_page(image(findings=(finding(sizes=Sizes(), estimate=True),)))
    assert '<p class="amount">not counted</p>' in page
    assert '<p class="amount">not counted</p>' not in inspection_page(image(findings=(finding(),)))


def test_code_in_a_fix_is_marked() -> None:
    page = inspection_page(image(findings=(finding(fix="Set `slim = <1>`.\nOr not: a ` b"),)))
    assert "<p>Set <code>slim = &lt;1&gt;</code>.\nOr not: a ` b</p>" in page


def test_what_to_do_where_can_be_copied_apart() -> None:
    """Rules say it for Dockerfiles and for wheelship's configuration, a line each."""
    fix = "Dockerfile: RUN a \\\n  && b\nwheelship: omit = {}"
    page = inspection_page(image(findings=(finding(fix=fix),)))
    found = re.findall(r'<span class="where">(\w+)</span><p>(.*?)</p>', page, re.DOTALL)
    assert found == [("Dockerfile", "RUN a \\\n  &amp;&amp; b"), ("wheelship", "omit = {}")]


def test_history_is_drawn_in_the_order_of_time() -> None:
    """However the builds come: to the right by time, upwards by size, a colour for each variant."""
    builds = [build(f"2026-01-{day:02d}T00:00:00Z", 1000 * day) for day in range(1, 9)]
    other = build("2026-03-01T00:00:00Z", 9, "x")
    page = inspection_page(image(), history=[other, *builds[::2], *builds[1::2]])
    points = re.findall(r'<circle class="point s(\d)" cx="([\d.]+)" cy="([\d.]+)"', page)
    assert [series for series, _, _ in points] == ["0"] * 8 + ["1"]
    places = [(float(x), float(y)) for _, x, y in points[:-1]]
    assert places == sorted(places)
    assert re.findall(r'text-anchor="(?:start|end)">(2026-\d\d-\d\d)<', page) == [
        "2026-01-01",
        "2026-03-01",
    ]
    heights = [y for _, y in places]
    assert heights == sorted(heights, reverse=True)
    assert "2 of 9" in page


def test_builds_of_another_image_have_a_line_of_their_own() -> None:
    builds = [build(f"2026-01-0{day}T00:00:00Z", 1000) for day in (1, 2)]
    page = inspection_page(image(), history=[builds[0], replace(builds[1], name="before")])
    assert re.findall(r"</span>([^<]*)</li>", page) == [
        "before:cpu, linux/amd64",
        "demo:cpu, linux/amd64",
    ]
    assert "</span>cpu, linux/amd64</li>" in inspection_page(image(), history=builds)


def test_without_builds_there_is_no_chart() -> None:
    assert 'class="chart"' not in inspection_page(image())
