# SPDX-License-Identifier: Apache-2.0
"""The steps of ``wheelship compare``: which images are meant, reading them, judging, showing."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.images import Access, read
from wheelship.cli.place import read_project
from wheelship.cli.progress import ProgressView
from wheelship.cli.services import native_platform
from wheelship.cli.settings import Settings
from wheelship.cli.terminal import encodable, stdout_canvas
from wheelship.compare.baseline import baseline_document, read_baseline
from wheelship.compare.comparison import (
    Comparison,
    against_baseline,
    against_first,
    side_by_side,
)
from wheelship.compare.gate import Gates, LimitBroken, Subject
from wheelship.compare.summary import Summary
from wheelship.request.model import Budget
from wheelship.source.location import Project, parse_location

if TYPE_CHECKING:
    from wheelship.inspect.measure import Measure
    from wheelship.oci.platform import Platform
    from wheelship.report.comparison_rows import By
    from wheelship.request.model import Request

__all__ = ["Call", "compare"]

_MORE_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the command line asks for."""

    images: tuple[str, ...]
    variants: tuple[str, ...]
    platform: Platform | None
    baseline: Path | None
    save: Path | None
    gates: Gates
    by: By
    measure: Measure | None
    top: int
    markdown: bool
    access: Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One image to read; ``request`` is of the project whose last build it is."""

    image: str
    variant: str | None = None
    platform: Platform | None
    request: Request | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was found."""

    call: Call
    settings: Settings
    comparison: Comparison

    def show(self) -> None:
        """Write it, save what is to be saved, and fail if a limit is broken.

        Raises:
            LimitBroken: the causes are named.
        """
        try:
            self._write()
            sys.stdout.flush()  # in a log, the verdict comes last
        except BrokenPipeError:
            # Who reads no more of it still wants the verdict: `compare … | head` is a gate, too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not self.comparison.breaches:
            if self.call.save is not None:
                _save(self.call.save, [one.image for one in self.comparison.subjects])
            return
        if self.settings.json:
            raise click.exceptions.Exit(LimitBroken.exit_status)
        raise self._broken()

    def _write(self) -> None:
        if self.settings.json:
            from wheelship.report.comparison_json import comparison_document

            text = json.dumps(comparison_document(self.comparison), indent=2) + "\n"
        elif self.call.markdown:
            from wheelship.report.comparison_markdown import comparison_markdown

            text = comparison_markdown(self.comparison, measure=self.call.measure)
        else:
            from wheelship.report.comparison_text import comparison_text

            text = comparison_text(
                self.comparison,
                stdout_canvas(self.settings),
                by=self.call.by,
                measure=self.call.measure,
                top=self.call.top,
            )
            text += "\n"
        sys.stdout.write(encodable(text, sys.stdout.encoding))

    def _broken(self) -> LimitBroken:
        from wheelship.report.breach import breach_text, image_name

        breaches = self.comparison.breaches
        names = list(dict.fromkeys(image_name(one.image) for one in breaches))
        several = len(names) > 1
        texts = [
            f"{image_name(one.image)}: {breach_text(one)}" if several else breach_text(one)
            for one in breaches
        ]
        hint = self._more()
        if self.call.save is not None:
            hint += f"\nnothing was saved to {self.call.save}"
        where = None if several else names[0]
        return LimitBroken("\n".join(texts), where=where, hint=hint)

    def _more(self) -> str:
        """Return how to see more: what changed, or what there is where nothing was compared."""
        images, chosen = self.call.images, []
        for name in self.call.variants:
            chosen += ["--variant", name]
        if self.call.platform is not None:
            chosen += ["--platform", str(self.call.platform)]
        if self.call.baseline is not None:
            chosen += ["--baseline", str(self.call.baseline)]
        if self.call.baseline is None and len(images) == 1 and _project_of(images[0]) is None:
            again = ["wheelship", "inspect", *images, *chosen, "--by", "package"]
            return f"see what it is made of: {shlex.join(again)}"
        again = ["wheelship", "compare", *images, *chosen, "--top", str(_MORE_ROWS)]
        what = "what there is" if self._has_nothing_before() else "all that changed"
        return f"see {what}: {shlex.join(again)}"

    def _has_nothing_before(self) -> bool:
        return all(one.difference is None for one in self.comparison.subjects)


def compare(call: Call, settings: Settings, view: ProgressView) -> Done:
    """Read all images, hold them against each other and against their limits."""
    _refuse_nothing_to_do(call)
    saved = None if call.baseline is None else read_baseline(call.baseline)
    subjects = [_subject(one, call, settings, view) for one in list(_named(call))]
    if saved is not None:
        comparison = against_baseline(subjects, saved, str(call.baseline), call.gates)
    elif len(call.images) > 1:
        first, *others = subjects
        comparison = against_first(first.image, others, call.gates)
    else:
        comparison = side_by_side(subjects, call.gates)
    return Done(call=call, settings=settings, comparison=comparison)


def _refuse_nothing_to_do(call: Call) -> None:
    """Refuse what compares nothing, and growth of what has no earlier size.

    Raises:
        UsageError: either.
    """
    if call.baseline is not None or len(call.images) > 1:
        return
    if call.gates.growths:
        raise click.UsageError("--fail-growth needs a second IMAGE, or --baseline FILE")
    if not (call.gates.limits or call.save or _project_of(call.images[0])):
        raise click.UsageError(
            "one IMAGE alone is compared with nothing: name a second one, --baseline FILE, "
            "--save FILE or --fail-over SIZE"
        )


def _subject(one: Named, call: Call, settings: Settings, view: ProgressView) -> Subject:
    """Read an image; the items of a large one are many, so only their sums are kept."""
    contents = read(
        settings,
        one.image,
        variant=one.variant,
        platform=one.platform,
        view=view,
        access=call.access,
    )
    summary = Summary.of(contents)
    return Subject(image=summary, budget=_budget(one, summary))


def _budget(one: Named, image: Summary) -> Budget:
    """Return the limits that the project sets; none for an image that is not of a project."""
    if one.request is None:
        return Budget()
    variant = one.request.variants.get(image.variant or one.variant or "")
    return Budget() if variant is None else variant.budget.of(image.platform)


def _named(call: Call) -> Iterator[Named]:
    """Yield the images that the arguments mean; a project alone stands for all that it built."""
    for image in call.images:
        project = _project_of(image)
        if project is None:
            yield Named(image=image, platform=call.platform)
            continue
        request = read_project(project.path)
        if len(call.images) == 1:
            yield from _built(project, request, call)
        else:
            for name in call.variants or (request.default_variant,):
                yield Named(image=image, variant=name, platform=call.platform, request=request)


def _project_of(image: str) -> Project | None:
    """Return the project that IMAGE is, if it is one."""
    location = parse_location(image, directory=Path.cwd())
    return location if isinstance(location, Project) else None


def _built(project: Project, request: Request, call: Call) -> Iterator[Named]:
    """Yield what the project's layout holds: variants as configured, each for its platforms.

    Raises:
        NoImage: nothing that was asked for is there.
    """
    from wheelship.build.images import choose_variants
    from wheelship.source.errors import NoImage
    from wheelship.source.open import layout_of_project
    from wheelship.store.errors import LayoutLacksPlatform
    from wheelship.store.layout import read_index, read_platforms, tag_of

    layout = layout_of_project(project, native_platform()).path
    tags = set(map(tag_of, read_index(layout)["manifests"]))
    variants = choose_variants(request, call.variants, every=not call.variants)
    there = [one.name for one in variants if one.name in tags]
    absent = [one.name for one in variants if one.name not in tags]
    found = []
    for name in there:
        try:
            stored = read_platforms(layout, name, call.platform)
        except LayoutLacksPlatform:
            if call.variants:
                raise
            continue
        found += [(name, one.config.platform) for one in stored]
    if not found or (call.variants and absent):
        names = ", ".join(absent or there)
        wanted = f" for {call.platform}" if call.platform and not absent else ""
        options = "".join(f" --variant {name}" for name in absent)
        raise NoImage(
            f"has no build of {names}{wanted}",
            where=project.text,
            hint=f"wheelship build {shlex.quote(project.text)}{options}",
        )
    for name, platform in found:
        yield Named(image=project.text, variant=name, platform=platform, request=request)


def _save(path: Path, images: list[Summary]) -> None:
    from wheelship.files.write import write_file
    from wheelship.store.errors import disk_errors

    data = json.dumps(baseline_document(images), indent=1) + "\n"
    with disk_errors(path.resolve().parent, "--save FILE"):
        write_file(path, data.encode("ascii"))
