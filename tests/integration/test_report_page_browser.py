# SPDX-License-Identifier: Apache-2.0
"""The HTML page of ``inspect`` in a real Chromium, opened from a file as a user opens it.

Every test fails when the page asks for anything but itself, or writes an error to the console.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from wheelship.history.model import PastBuild
from wheelship.inspect.group import by_kind, by_layer, by_owner
from wheelship.inspect.model import Entry, Finding, Inspection, Item, Owner, Sizes
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.report.page.make import inspection_page
from wheelship.report.size import format_bytes
from wheelship.testing.inspection import Made, make_inspection

pytestmark = pytest.mark.integration

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
FORMAT = Path(inspection_page.__code__.co_filename).with_name("static") / "format.js"
PAGE_LIMIT = 1_500_000
SITE = "opt/venv/lib/python3.11/site-packages"
TORCH = Owner("python", "torch", "2.13.0")
NUMPY = Owner("python", "numpy", "2.2.0")
LIBC = Owner("debian", "libc6", "2.36")
APP = Owner("application", "speech-service", "0.1.0")

Open = Callable[..., Page]


def speech() -> Inspection:
    """A small image with what the page tells apart: owners, kinds, layers, hidden files, waste."""
    libc = [
        Made("usr/lib/libc.so.6", 1_900_000, LIBC, "shared-object"),
        Made("etc/passwd", 300, LIBC),
    ]
    torch = [
        Made(f"{SITE}/torch/lib/libtorch_cpu.so", 60_000_000, TORCH, "shared-object"),
        Made(f"{SITE}/torch/lib/libold.a", 9_000_000, TORCH, "static-library"),
        *(Made(f"{SITE}/torch/include/h{at}.h", 20_000, TORCH, "header") for at in range(80)),
        Made(f"{SITE}/numpy/core.so", 22_000_000, NUMPY, "shared-object"),
        Made(f"{SITE}/numpy/tests/test_a.py", 3_000_000, NUMPY, "test"),
        Made("opt", entry="directory"),
    ]
    app = [
        Made(f"{SITE}/torch/lib/libold.a", entry="whiteout"),
        Made("srv/app.py", 5_000, APP, "python"),
        Made("srv/model.onnx", 12_000_000, Owner("unknown", "unknown"), "model"),
    ]
    findings = (
        Finding(
            code="static-libraries",
            title="Static libraries",
            reason="a linker needs them",
            fix='Leave them out:\n`omit = { torch = ["**/*.a"] }`',
            sizes=Sizes(4_500_100, 9_000_512, 0),
            paths=(f"{SITE}/torch/lib/libold.a",),
        ),
        Finding(
            code="tests",
            title="Test suites",
            reason="nobody runs them",
            fix="f",
            sizes=Sizes(1_500_100, 3_000_512, 3_000_000),
            paths=(f"{SITE}/numpy/tests",),
        ),
    )
    return make_inspection(libc, torch, app, findings=findings, reference="oci:dist/speech:cpu")


def history() -> list[PastBuild]:
    return [
        PastBuild(
            time=f"2026-05-{day:02d}T10:00:00Z",
            name="speech",
            variant="cpu",
            platform=Platform("amd64"),
            digest=Digest.of(bytes([day])),
            transfer_bytes=300_000_000 + day * 1_000_000,
            unpacked_bytes=900_000_000,
            seconds=3.5,
            layers=9,
            reused=8,
            fresh_bytes=100_000,
        )
        for day in range(1, 20)
    ]


@pytest.fixture(scope="module")
def browser(tool: Callable[[str], str]) -> Iterator[Browser]:
    """One Chromium for all tests, the system's own."""
    path = tool("chromium")
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to be root, and containers have little shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def speech_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "speech.html"
    path.write_text(inspection_page(speech(), history=history()), "utf-8")
    return path


@pytest.fixture
def visit(browser: Browser, speech_page: Path) -> Iterator[Open]:
    """Open a page from its file; at the end, nothing was asked for and nothing complained of."""
    contexts = []
    asked: list[str] = []
    said: list[str] = []
    own = {"data:,"}  # the icon

    def visited(
        path: Path = speech_page, place: str = "", *, scripts: bool = True, **options: Any
    ) -> Page:
        options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"} | options
        context = browser.new_context(java_script_enabled=scripts, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        own.update((path.as_uri(), path.as_uri() + place))
        page.on("request", lambda one: asked.append(one.url))
        page.on("console", lambda one: said.append(one.text))
        page.on("pageerror", lambda one: said.append(str(one)))
        page.on("dialog", lambda one: said.append(f"dialog {one.message}"))
        page.goto(path.as_uri() + place)
        if scripts:
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield visited
    for context in contexts:
        context.close()
    assert [one for one in asked if one not in own] == []
    assert said == []


def names(page: Page, table: str) -> list[str]:
    rows = page.locator(f'[data-table="{table}"] tbody .name')
    return rows.all_text_contents()


def column(page: Page, table: str, name: str, part: str = "tbody") -> list[int]:
    found = page.locator(f'[data-table="{table}"] {part} td.{name} data')
    return [int(one) for one in found.evaluate_all("all => all.map(one => one.value)")]


def hits(page: Page) -> set[str]:
    """The labels of the highlighted cells that hold no others and are large enough for a label."""
    labels = page.locator("#map .cell.hit:not(.group) > b")
    return set(labels.all_text_contents())


# --- numbers ---


def test_all_tables_and_maps_add_up_to_the_image(visit: Open) -> None:
    """Each table, and each map at its top, in each of the three sizes, to the byte."""
    page, contents = visit(), speech().contents
    for size in ("transfer", "unpacked", "effective"):
        total = getattr(contents.sizes, size)
        page.check(f'input[value="{size}"]', force=True)
        expect(page.locator(".size:has(input:checked) b")).to_have_text(format_bytes(total))
        for table in ("package", "layer", "kind", "file"):
            page.click(f"#tab-{table}")
            *rest, last = column(page, table, size, "tfoot")
            assert last == total
            assert sum(column(page, table, size)) + sum(rest) == total
        page.click("#tab-directory")
        assert column(page, "directory", size)[0] == total  # of the root, all below it
        for by in ("path", "package", "layer", "kind"):
            page.check(f'input[name="by"][value="{by}"]', force=True)
            tops = page.locator("#map .cell.top")
            drawn = tops.evaluate_all("all => all.map(one => Number(one.dataset.bytes))")
            assert sum(drawn) == total


def test_rows_are_those_of_the_inspection(visit: Open) -> None:
    page, contents = visit(), speech().contents
    for table, rows in (
        ("package", by_owner(contents)),
        ("kind", by_kind(contents)),
        ("layer", by_layer(contents)),
    ):
        page.click(f"#tab-{table}")
        found = sorted(column(page, table, "unpacked"))
        assert found == sorted(row.sizes.unpacked for row in rows.values())
    assert names(page, "package")[:3] == ["torch 2.13.0", "numpy 2.2.0", "unknown"]


def test_the_area_of_a_cell_is_its_share(visit: Open) -> None:
    """What the eye compares are areas; gaps and rounding take a little."""
    page = visit(place="#by=package&at=Python%2520packages")
    cells = page.locator("#map button.cell").evaluate_all(
        "all => all.map(one => [Number(one.dataset.bytes), one.offsetWidth * one.offsetHeight])"
    )
    total, area = (sum(column) for column in zip(*cells, strict=True))
    assert len(cells) == 2
    whole = page.locator("#map").evaluate("one => one.clientWidth * one.clientHeight")
    assert area == pytest.approx(whole, rel=0.02)
    for size, pixels in cells:
        assert pixels / area == pytest.approx(size / total, rel=0.03)


def test_numbers_are_written_as_everywhere_else(visit: Open) -> None:
    """The page's script rounds as Python does, ties to even too."""
    source = random.Random(3)
    sizes = [
        0,
        999,
        1000,
        999_949,
        999_950,
        999_949_999,
        999_950_000,
        1250,
        12_250,
        12_750,
        1_125_000_000,
        1_375_000_000,
        5_625_000_000,
    ]
    sizes += [int(10 ** source.uniform(0, 11)) for _ in range(400)]
    sizes += [source.randrange(4000) * 250 for _ in range(400)]
    script = f"sizes => {{ {FORMAT.read_text()}; return sizes.map(bytes); }}"
    assert visit().evaluate(script, sizes) == [format_bytes(one) for one in sizes]


# --- the map ---


def test_zooming_with_the_mouse_and_back(visit: Open) -> None:
    page = visit()
    page.click("#map .cell.group > b:text-is('torch')", position={"x": 3, "y": 3})
    trail = page.locator("#trail li")
    expect(trail).to_have_text(["Image", "opt/venv/lib/python3.11/site-packages", "torch"])
    expect(page.locator("#map button.cell").first).to_have_attribute(
        "aria-label", re.compile(r"^lib, 69\.0 MB unpacked, 6\d\.\d %, 2 files$")
    )
    page.click("#trail button:has-text('site-packages')")
    expect(trail).to_have_count(2)
    page.go_back()
    expect(trail).to_have_count(3)
    page.go_back()
    expect(trail).to_have_text(["Image"])


def test_the_map_by_keyboard(visit: Open) -> None:
    """One place in the tab order; arrows, Enter, Escape, Backspace, Home."""
    page = visit()
    assert page.locator("#map [tabindex='0']").count() == 1
    page.focus("#map [tabindex='0']")
    focused = page.locator("#map :focus")
    expect(focused).to_have_attribute("aria-label", re.compile("site-packages"))
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-label", re.compile("^srv"))
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-label", re.compile("site-packages"))
    expect(page.locator("#map .ring")).to_be_visible()
    middle = """one => { const { left, top, width, height } = one.getBoundingClientRect();
        return document.elementFromPoint(left + width / 2, top + height / 2) !== one; }"""
    assert focused.evaluate(middle), "what is focused hides what is drawn in it"
    page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-label", re.compile("^torch"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#trail li").last).to_have_text("numpy")
    page.keyboard.press("Escape")
    expect(page.locator("#trail li")).to_have_count(2)
    expect(focused).to_have_attribute("aria-label", re.compile("^numpy"))
    page.keyboard.press("Backspace")
    expect(page.locator("#trail li")).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.press("Home")
    expect(page.locator("#trail li")).to_have_text(["Image"])


def test_pointing_tells_all_sizes_of_a_file(visit: Open) -> None:
    page = visit()
    page.hover("#map .cell:not(.group):has-text('libold.a')")
    expect(page.locator("#details .what")).to_have_text(f"/{SITE}/torch/lib/libold.a")
    expect(page.locator("#details .how")).to_contain_text("9.0 MB unpacked, 0 B effective")
    expect(page.locator("#details .how")).to_contain_text("deleted by a later layer")


def test_the_address_brings_the_view_back(visit: Open) -> None:
    page = visit()
    page.keyboard.press("1")
    page.check("input[name=by][value=package]", force=True)
    page.check("input[name=paint][value=kind]", force=True)
    page.click("#map .cell.group > b:has-text('torch 2.13.0')", position={"x": 3, "y": 3})
    page.fill("#query", "kind:header")
    expect(page.locator("#found")).to_contain_text("80 files")
    page.click("#tab-kind")
    place = page.evaluate("location.hash")
    again = visit(place=place)
    expect(again.locator("#trail li")).to_have_text(["Image", "Python packages", "torch 2.13.0"])
    expect(again.locator("#query")).to_have_value("kind:header")
    expect(again.locator("#tab-kind")).to_have_attribute("aria-selected", "true")
    expect(again.locator("input[name=size]:checked")).to_have_value("transfer")
    expect(again.locator("input[name=paint]:checked")).to_have_value("kind")
    assert names(again, "kind") == ["header"]


def test_an_address_of_nonsense_shows_the_image(visit: Open) -> None:
    place = "#by=no&size=no&at=%25%2F//%&q=%00&table=no&paint=no"
    expect(visit(place=place).locator("#trail li")).to_have_text(["Image"])


# --- tables, search, waste ---


def test_tables_sort_by_any_column(visit: Open) -> None:
    page = visit()
    for name in ("transfer", "effective", "files"):
        page.click(f'[data-table="package"] th.{name} button')
        found = page.locator(f'[data-table="package"] tbody td.{name}').all_text_contents()
        values = (
            column(page, "package", name)
            if name != "files"
            else [int(one.replace("\u202f", "")) for one in found]
        )
        assert values == sorted(values, reverse=True)
        head = page.locator('[data-table="package"] [aria-sort]')
        expect(head).to_have_attribute("aria-sort", "descending")
        expect(head).to_have_class(re.compile(name))
    page.click('[data-table="package"] th.files button')
    expect(page.locator('[data-table="package"] th.files')).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.click('[data-table="package"] th.name button')
    assert names(page, "package") == sorted(names(page, "package"))


def test_a_row_is_shown_on_the_map(visit: Open) -> None:
    page = visit()
    page.click('[data-table="package"] button:has-text("numpy 2.2.0")')
    expect(page.locator("#trail li")).to_have_text(["Image", "Python packages", "numpy 2.2.0"])
    page.click("#tab-file")
    page.click('[data-table="file"] button:has-text("libtorch_cpu.so")')
    expect(page.locator("#trail li").last).to_have_text("lib")
    page.click("#tab-layer")
    page.click('[data-table="layer"] button:has-text("step 2")')
    expect(page.locator("#trail li")).to_have_text(["Image", "2: step 2"])


def test_search(visit: Open) -> None:
    """The tables count what was found, the map lights it up."""
    page = visit()
    said = page.locator("#found")
    page.click("#tab-file")
    for query, files, found in (
        ("libtorch", 1, {"libtorch_cpu.so"}),
        ("NUMPY -tests", 1, {"core.so"}),
        ("kind:static-library", 1, {"libold.a"}),
        ("is:deleted", 1, {"libold.a"}),
        ("owner:debian libc.so", 1, {"libc.so.6"}),
        ("layer:2 kind:model", 1, {"model.onnx"}),
        ("waste:", 2, {"libold.a", "test_a.py"}),
        ("nothing-has-this-name", 0, set()),
    ):
        page.keyboard.press("/")
        page.keyboard.type(query)
        page.keyboard.press("Enter")
        expect(said, query).to_contain_text(f"{files} file" if files else "Nothing found")
        assert len(names(page, "file")) == files
        assert hits(page) == found
        page.keyboard.press("Escape")
        expect(said).to_have_text("")
        page.keyboard.press("Escape")
        expect(page.locator("#query")).not_to_be_focused()


def test_waste_is_shown_on_the_map_and_its_fix_copied(visit: Open) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    finding = page.locator('.finding[data-token="static-libraries"]')
    show = finding.locator(".show")
    show.click()
    expect(show).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#query")).to_have_value("waste:static-libraries")
    assert hits(page) == {"libold.a"}
    show.click()
    expect(show).to_have_attribute("aria-pressed", "false")
    assert page.locator("#map.filtered").count() == 0
    finding.locator(".copy").click()
    expect(finding.locator(".copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == 'omit = { torch = ["**/*.a"] }'


def test_help_opens_and_closes_by_keyboard(visit: Open) -> None:
    page = visit()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


# --- how it looks ---


def test_dark_and_light(visit: Open) -> None:
    def background(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page, dark = visit(), background(visit(color_scheme="dark"))
    light = background(page)
    assert light != dark
    page.click("#theme")
    page.click("#theme")
    assert background(page) == dark
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert background(page) == dark
    page.click("#theme")
    assert background(page) == light


def test_any_width_without_scrolling_sideways(visit: Open) -> None:
    page = visit()
    inside = """all => { const map = document.getElementById("map").getBoundingClientRect();
        return all.map(one => one.getBoundingClientRect()).every(one =>
        one.right < map.right + 1 && one.bottom < map.bottom + 1 && one.left > map.left - 1); }"""
    for width in (3840, 1024, 768, 400, 320):
        page.set_viewport_size({"width": width, "height": 800})
        for table in ("package", "file", "directory"):
            page.click(f"#tab-{table}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#map .cell").evaluate_all(inside)


def test_the_map_follows_the_window(visit: Open) -> None:
    page = visit()
    page.set_viewport_size({"width": 500, "height": 800})
    last = page.locator("#map .cell").last
    expect(page.locator("#map .cell.top").first).to_be_in_viewport()
    right = "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
    expect(last).not_to_have_css("left", re.compile(r"^[5-9]\d\d"))
    assert 450 < page.locator("#map .cell").evaluate_all(right) <= 500


def test_nothing_jumps_while_it_loads(visit: Open) -> None:
    """What scripts fill has its place before they run."""
    page = visit()
    shift = page.evaluate(
        """() => new Promise(done => new PerformanceObserver(list =>
        done(list.getEntries().reduce((sum, one) => sum + one.value, 0)))
        .observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done(0), 150))"""
    )
    assert shift < 0.02


def test_print_has_every_table(visit: Open) -> None:
    page = visit()
    page.emulate_media(media="print")
    for table in ("package", "layer", "kind", "directory", "file"):
        expect(page.locator(f"#panel-{table}")).to_be_visible()
    expect(page.locator("#query")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_rules_of_accessibility(visit: Open, scheme: str) -> None:
    """Roles, names and contrast as axe knows them: WCAG 2.2, A and AA, and good practice."""
    page = visit(color_scheme=scheme, viewport={"width": 1280, "height": 2000})
    page.evaluate(AXE.read_text())
    for prepare in (
        lambda: None,
        lambda: page.check("input[name=paint][value=kind]", force=True),
        lambda: page.fill("#query", "torch"),
        lambda: page.keyboard.press("Escape") or page.click("#help-open"),
    ):
        prepare()
        broken = page.evaluate("axe.run().then(found => found.violations)")
        told = [
            (one["id"], node["target"], node["failureSummary"])
            for one in broken
            for node in one["nodes"]
        ]
        assert told == []


# --- other images, other browsers ---


def test_without_scripts_the_tables_are_there(visit: Open) -> None:
    page, contents = visit(scripts=False), speech().contents
    expect(page.locator("#map")).to_be_hidden()
    expect(page.get_by_text("The map needs JavaScript")).to_be_visible()
    for table in ("package", "layer", "kind", "directory", "file"):
        expect(page.locator(f'[data-table="{table}"]')).to_be_visible()
        last = page.locator(f'[data-table="{table}"] tfoot tr').last
        expect(last.locator(".unpacked")).to_have_text(format_bytes(contents.sizes.unpacked))
    expect(page.locator(".finding h3").first).to_have_text("Static libraries")
    expect(page.locator(".chart circle")).to_have_count(19)


def test_scripts_repeat_the_rows_that_are_there(visit: Open) -> None:
    """Nobody sees the tables change when the script takes over."""
    scripted, plain = visit(), visit(scripts=False)
    for table in ("package", "layer", "kind", "directory", "file"):
        scripted.click(f"#tab-{table}")
        for part in ("tbody", "tfoot"):
            rows = [
                [
                    " ".join(row.split())
                    for row in page.locator(f'[data-table="{table}"] {part} tr').all_text_contents()
                ]
                for page in (scripted, plain)
            ]
            assert rows[0] == rows[1]


def test_hostile_names_stay_text(visit: Open, tmp_path: Path) -> None:
    """Nothing that an image calls itself or its files becomes an element, a script or a dialog."""
    evil = [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(2)<",
        '"><svg onload=alert(3)>',
        "a\u202eb\x1b[31m\x00c",
        "\udc80\ud800",
        "__proto__",
        "x" * 5000,
    ]
    files = [
        Made(f"opt/{one}/{one}", 90_000_000 + at, Owner("python", one, one))
        for at, one in enumerate(evil)
    ]
    finding = replace(speech().findings[0], title=evil[0], fix=f"`{evil[1]}`", paths=tuple(evil))
    path = tmp_path / "evil.html"
    inspection = make_inspection(files, findings=(finding,), reference=evil[1])
    path.write_text(inspection_page(inspection), "utf-8")
    page = visit(path)
    for by in ("package", "kind", "path"):
        page.check(f"input[name=by][value={by}]", force=True)
    for table in ("package", "file", "directory"):
        page.click(f"#tab-{table}")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator("svg:not(.bar):not(.brand svg)").count() == 0
    expect(page.locator("h1")).to_have_text(evil[1])
    expect(page.locator(".finding h3")).to_have_text(evil[0])
    found = "\n".join(names(page, "file"))
    for text in (evil[0], evil[2], "a\\u202eb\\x1b[31m\\x00c", "\\x80\\ud800", "__proto__"):
        assert text in found
    page.fill("#query", "onerror")
    expect(page.locator("#found")).to_contain_text("1 file")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_unknown_transfer_cannot_be_chosen(visit: Open, tmp_path: Path) -> None:
    inspection = speech()
    contents = replace(inspection.contents, transfer_known=False)
    path = tmp_path / "unknown.html"
    path.write_text(inspection_page(replace(inspection, contents=contents)), "utf-8")
    page = visit(path, "#size=transfer")
    expect(page.locator("input[name=size]:checked")).to_have_value("unpacked")
    expect(page.locator("input[value=transfer]")).to_be_disabled()
    page.keyboard.press("1")
    expect(page.locator("input[name=size]:checked")).to_have_value("unpacked")
    cells = page.locator('[data-table="package"] tbody td.transfer').all_text_contents()
    assert set(cells) == {"unknown"}
    expect(page.locator("#details .how")).to_contain_text("transfer unknown")


def wide(count: int) -> Inspection:
    """An image of ``count`` files: packages with directories as real ones have them."""
    source = random.Random(count)
    words = [source.randbytes(4).hex() for _ in range(4000)]
    owners = [Owner("python", f"package-{at}", "1.0") for at in range(200)]
    inspection = make_inspection([Made("opt", entry="directory")])
    items = list(inspection.contents.items)
    for at in range(count):
        size = int(source.paretovariate(0.9) * 300) % 400_000_000
        name = f"{words[at % 4000]}_{words[at * 7 % 3989]}.py"
        entry = Entry(
            f"{SITE}/p{at % 200}/{words[at // 200 % 97]}/{name}",
            "file",
            size,
            512 + -(-size // 512) * 512,
            size // 3 + 90,
        )
        items.append(Item(entry, 0, owners[at % 200], "python", size))
    sums = defaultdict(int)
    for item in items:
        sums["t"] += item.sizes.transfer
        sums["u"] += item.sizes.unpacked
        sums["e"] += item.sizes.effective
    sizes = Sizes(sums["t"], sums["u"], sums["e"])
    return replace(
        inspection, contents=replace(inspection.contents, items=tuple(items), sizes=sizes)
    )


@pytest.mark.parametrize("count", [30_000, 500_000])
def test_large_images_fit_and_still_add_up(visit: Open, tmp_path: Path, count: int) -> None:
    """At most 1.5 MB of page, two thousand cells, and not a byte lost."""
    inspection = wide(count)
    path = tmp_path / "wide.html"
    path.write_text(inspection_page(inspection), "utf-8")
    assert path.stat().st_size <= PAGE_LIMIT
    page = visit(path)
    assert 100 < page.locator("#map .cell").count() < 2600
    page.click("#tab-file")
    assert column(page, "file", "unpacked", "tfoot")[-1] == inspection.contents.sizes.unpacked
    page.click("#panel-file .more")
    assert len(names(page, "file")) == 150
    *rest, total = column(page, "file", "transfer", "tfoot")
    assert sum(column(page, "file", "transfer")) + sum(rest) == total
    page.fill("#query", "package-7")
    expect(page.locator("#found")).to_contain_text(f"{count // 200 * 11:,}".replace(",", "\u202f"))
