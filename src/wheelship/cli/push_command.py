# SPDX-License-Identifier: Apache-2.0
"""``wheelship push``: an image that was built before, into a registry."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelship.cli.options import insecure_option, platform_option
from wheelship.cli.place import Place, find_image, layout_of
from wheelship.cli.progress import ProgressView
from wheelship.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from wheelship.oci.platform import Platform
    from wheelship.sink.model import Delivered, Parcel
    from wheelship.store.store import Store

__all__ = ["command"]


@click.command(
    "push",
    epilog="Example: wheelship push . registry.example.org/team/service:1.2-cpu --variant cpu",
)
@click.argument("image")
@click.argument("reference", metavar="REF")
@click.option("--variant", metavar="NAME", help="The variant, when IMAGE is a project.")
@platform_option("[default: all of them]")
@insecure_option
@common_options
@click.pass_obj
def command(
    settings: Settings,
    image: str,
    reference: str,
    variant: str | None,
    platform: Platform | None,
    insecure: tuple[str, ...],
) -> None:
    """Push IMAGE to a registry as REF.

    IMAGE is a project (its last build), oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, or
    just the path of one of these. REF is HOST/NAME[:TAG]; without a tag the image keeps its own.
    An image for several platforms is pushed whole, as an index, unless --platform picks one.

    Layers that the registry has are not sent, and the tag moves when everything else is there.
    Credentials are those of docker login and podman login.
    """
    from wheelship.cli.services import make_registry
    from wheelship.sink.deliver import deliver
    from wheelship.sink.model import Tools
    from wheelship.sink.output import RegistryOutput
    from wheelship.store.store import Store

    output = RegistryOutput.parse(reference)
    place = replace(find_image(image, variant), platform=platform)
    began = time.monotonic()
    with ProgressView(settings) as view:
        store = Store(settings.store_root)
        try:
            tools = Tools(registry=lambda: make_registry(settings, view.emit, insecure=insecure))
            with store.work_directory() as unpacked:
                parcel = _parcel(place, layout_of(place, unpacked), store)
                (done,) = deliver(parcel, [output], tools, view.emit)
        finally:
            store.close()
    _show(done, time.monotonic() - began, settings)


def _parcel(place: Place, layout: Path, store: Store) -> Parcel:
    from wheelship.sink.model import Parcel, join_parcels
    from wheelship.sink.whereabouts import Whereabouts
    from wheelship.store.layout import read_platforms

    return join_parcels(
        [
            Parcel(
                image=stored,
                reference=f"{place.path.name}:{stored.reference}",
                blob={one.digest: one.path for one in stored.layers}.__getitem__,
                linked=lambda _: None,
                whereabouts=Whereabouts(store),
            )
            for stored in read_platforms(layout, place.tag, place.platform)
        ]
    )


def _show(done: Delivered, seconds: float, settings: Settings) -> None:
    from wheelship.report.push import push_document, push_text

    if settings.json:
        sys.stdout.write(json.dumps(push_document(done, seconds), indent=2) + "\n")
    else:
        sys.stdout.write(push_text(done) + "\n")
