# SPDX-License-Identifier: Apache-2.0
"""Images on a base of other origin: what is inherited, what is fetched, and what must not meet."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wheelship.base.errors import BaseOccupied, PythonNotAllowed, TooManyLayers
from wheelship.base.locking import lock_image
from wheelship.base.model import BaseImage, files_key
from wheelship.build.bases import RegistrySource, StoredBase, check_links, image_lock, target_of
from wheelship.build.errors import ConflictingFiles
from wheelship.build.execute import build_image
from wheelship.build.lockfile import read_lock, write_lock
from wheelship.build.parcel import parcel_of
from wheelship.events import discard
from wheelship.lock.errors import LockOutOfDate
from wheelship.lock.inputs import lock_inputs
from wheelship.oci.digest import Digest
from wheelship.oci.platform import Platform
from wheelship.oci.reference import Reference
from wheelship.oci.validate import problems_of_layout, validate
from wheelship.plan.inputs import Inputs
from wheelship.plan.make import plan_image
from wheelship.plan.model import ConfigurationRecipe, ForeignRecipe, ImagePlan, LayerPlan
from wheelship.registry.errors import ImageNotFound
from wheelship.report.build import BuildReport, build_document
from wheelship.request.model import (
    Accelerator,
    Budget,
    Check,
    Health,
    Project,
    Request,
    Sources,
    Variant,
)
from wheelship.request.sources import Snapshot
from wheelship.sink.deliver import deliver
from wheelship.sink.model import Tools
from wheelship.sink.output import LayoutOutput
from wheelship.testing.base import BASE_FILES, Content, MadeBase
from wheelship.testing.wheel import make_wheel

AMD64, ARM64 = Platform(architecture="amd64"), Platform(architecture="arm64")
REFERENCE = "registry.example.org/team/base:1"
MakeLayer = Callable[..., LayerPlan]


def project(root: Path = Path("/project"), requires_python: str | None = None) -> Project:
    return Project(
        root=root,
        name="service",
        version="1",
        requires_python=requires_python,
        dependencies=(),
        extras={},
        groups={},
        scripts={},
        config_file=None,
    )


VARIANT = Variant(
    name="cpu",
    accelerator=Accelerator.CPU,
    platforms=(AMD64,),
    python="3.11",
    base=REFERENCE,
    omit={},
    sources=Sources(),
    env={},
    labels={},
    check=Check(),
    budget=Budget(),
    command=("serve",),
    port=8000,
    health=Health(path="/healthz", port=8000),
    bytecode="none",
)


def plan_on(base: BaseImage, **changes: Any) -> ImagePlan:
    variant = replace(VARIANT, **{k: v for k, v in changes.items() if k != "environment"})
    return plan_image(
        Inputs(
            name="service",
            project=project(),
            variant=variant,
            platform=AMD64,
            wheels=(),
            base=base,
            snapshot=Snapshot(files=(), generated=(), key=Digest.of(b"sources")),
            environment=changes.get("environment", {}),
            created="1980-01-01T00:00:00Z",
        )
    )


def locked(yard: Any, made: MadeBase) -> BaseImage:
    return lock_image(REFERENCE, AMD64, "3.11", made, yard.store, discard)


def context_of(yard: Any, made: MadeBase) -> Any:
    return replace(yard.context, base=StoredBase(yard.store, lambda: made))


def forget(yard: Any, base: BaseImage) -> None:
    """Make the store one of a machine that never saw the base."""
    for layer in base.layers:
        yard.store.blob(layer.digest).unlink()


# --- what is inherited ---


def test_variables_and_labels_are_inherited_and_ours_win(yard: Any) -> None:
    run = {
        "Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8", "A=base", "B=base", "C=base"],
        "Labels": {
            "org.opencontainers.image.title": "base",
            "org.opencontainers.image.source": "https://example.org/base",
            "org.example.team": "x",
            "L": "base",
        },
        "Entrypoint": ["/entry"],
        "Cmd": ["python3"],
        "User": "nobody",
        "WorkingDir": "/srv",
    }
    base = locked(yard, MadeBase(config=run))
    plan = plan_on(
        base, env={"C": "user"}, environment={"B": "ours", "C": "ours"}, labels={"L": "user"}
    )
    env = dict(plan.run.env)
    assert env["PATH"] == "/opt/venv/bin:/usr/local/bin:/usr/bin"
    assert (env["LANG"], env["A"], env["B"], env["C"]) == ("C.UTF-8", "base", "ours", "user")
    labels = dict(plan.run.labels)
    assert labels["org.opencontainers.image.title"] == "service"
    assert (labels["org.example.team"], labels["L"]) == ("x", "user")
    assert "org.opencontainers.image.source" not in labels, "that is where the base came from"
    assert (plan.run.entrypoint, plan.run.command) == ((), ("serve",))
    assert (plan.run.user, plan.run.workdir) == ("65532:65532", "/app")
    annotations = dict(plan.annotations)
    assert annotations["org.opencontainers.image.base.name"] == REFERENCE
    assert annotations["org.opencontainers.image.base.digest"] == str(base.digest)
    assert plan.run.healthcheck is not None
    assert plan.run.healthcheck.test[1] == "/usr/bin/python3.11"


def test_a_base_without_path_gets_the_usual_one(yard: Any) -> None:
    env = dict(plan_on(locked(yard, MadeBase())).run.env)
    assert env["PATH"] == "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"


def test_the_layers_are_taken_as_they_are(yard: Any, tmp_path: Path) -> None:
    made = MadeBase(
        BASE_FILES,
        {"a": b"1"},
        history=[{"created_by": "ADD root", "created": "2024-01-01T00:00:00Z"}, {}],
    )
    base = locked(yard, made)
    context = context_of(yard, made)
    built = build_image(plan_on(base), context)
    assert [one.descriptor for one in built.image.layers[:2]] == list(made.layers)
    assert [one.reused for one in built.layers[:2]] == [True, True]
    history = built.image.config.history
    assert len(history) == len(built.image.layers) == len(built.image.config.diff_ids)
    assert (history[0].created_by, history[0].created) == ("ADD root", "2024-01-01T00:00:00Z")
    assert history[1].created_by == f"wheelship: {REFERENCE}: layer 2 of 2"
    parcel = parcel_of(built, "service:cpu", yard.store, context.base)
    done = deliver(parcel, (LayoutOutput(tmp_path / "out"),), Tools(), discard)
    foreign = [str(one.digest) for one in made.layers]
    assert validate(tmp_path / "out", foreign=foreign).problems == ()
    assert problems_of_layout(tmp_path / "out") != [], "the made base has no parents"
    report = BuildReport(
        built=built, reference="service:cpu", delivered=done, lock="", phases=(("all", 1.0),)
    )
    (image,) = build_document([report])["images"]
    assert [row["kind"] for row in image["layers"][:3]] == ["base", "base", "bytecode"]


def test_the_environment_points_at_the_bases_interpreter(yard: Any) -> None:
    files: dict[str, Content] = {
        **{path: BASE_FILES[path] for path in BASE_FILES if "python3" not in path},
        "usr/local/bin/python3.11": BASE_FILES["usr/bin/python3.11"],
        "usr/local/lib/python3.11/os.py": b"",
    }
    made = MadeBase(files)
    base = locked(yard, made)
    plan = plan_on(base)
    build_image(plan, context_of(yard, made))
    (layer,) = (one for one in plan.layers if one.title == "python 3.11: environment")
    record = yard.store.find_layer(layer.key)
    from wheelship.testing.layer import read_layer

    found = read_layer(yard.store.blob(record.digest).read_bytes())
    for name in ("python", "python3", "python3.11"):
        assert found[f"opt/venv/bin/{name}"].target == "/usr/local/bin/python3.11"
    assert b"home = /usr/local/bin\n" in found["opt/venv/pyvenv.cfg"].data
    assert dict(plan.run.env)["PATH"].startswith("/opt/venv/bin:")


# --- keys ---


def test_keys_change_with_what_the_layers_hold_and_with_nothing_else(yard: Any) -> None:
    base = locked(yard, MadeBase())
    keys = {layer.title: layer.key for layer in plan_on(base).layers}
    renamed = plan_on(replace(base, reference="other:1", name="x", digest=Digest.of(b"m")))
    assert {one.key for one in renamed.layers} == set(keys.values())
    python = replace(base.python, build=Digest.of(b"patched"))
    patched = {one.title: one.key for one in plan_on(replace(base, python=python)).layers}
    changed = {title for title in keys if keys[title] != patched[title]}
    assert changed == {"python 3.11: environment"}
    other = plan_on(replace(base, passwd="root:x:0:0::/:/bin/sh\napp:x:65532:65532::/:/x\n"))
    changed = {title for title in keys if keys[title] not in {one.key for one in other.layers}}
    assert changed == {"directories"}


def test_the_limit_on_layers_counts_the_bases(yard: Any) -> None:
    base = locked(yard, MadeBase())
    wheels = tuple(
        yard.lock(make_wheel(f"heavy{number}", files={f"h{number}.bin": bytes(10)}))
        for number in range(30)
    )
    heavy = tuple(replace(one, size_bytes=5_000_000) for one in wheels)
    many = replace(base, layers=base.layers * 15)

    def planned(on: BaseImage) -> ImagePlan:
        return plan_image(
            Inputs(
                name="service",
                project=project(),
                variant=replace(VARIANT, bytecode="all"),
                platform=AMD64,
                wheels=heavy,
                base=on,
                snapshot=Snapshot(files=(), generated=(), key=Digest.of(b"s")),
                environment={},
                created="1980-01-01T00:00:00Z",
            )
        )

    for on in (base, many):
        assert 30 < len(planned(on).layers) <= 40
    with pytest.raises(TooManyLayers) as caught:
        planned(replace(base, layers=base.layers * 121))
    assert caught.value.hint


# --- fetched only when needed ---


def test_nothing_is_fetched_for_layers_that_nobody_opens(yard: Any) -> None:
    made = MadeBase(BASE_FILES, {"a": b"1"})
    base = locked(yard, made)
    forget(yard, base)
    made.fetched.clear()
    context = context_of(yard, made)
    built = build_image(plan_on(base), context)
    parcel = parcel_of(built, "service:cpu", yard.store, context.base)
    assert made.fetched == []
    own = [one.digest for one in parcel.image.blobs[2:]]
    assert all(parcel.blob(digest).is_file() for digest in own)
    assert made.fetched == []
    path = parcel.blob(made.layers[1].digest)
    assert path.read_bytes() == made.blobs[made.layers[1].digest]
    assert made.fetched == [made.layers[1].digest]
    parcel.blob(made.layers[1].digest)
    assert made.fetched == [made.layers[1].digest]


def test_a_registry_that_dropped_the_base_is_no_dead_end(yard: Any) -> None:
    class Client:
        def blob(self, *_: object, **__: object) -> None:
            raise ImageNotFound("no such blob", where="example.org")

    source = RegistrySource(Client(), Reference.parse(REFERENCE), discard)  # type: ignore[arg-type]
    (layer,) = MadeBase().layers
    with pytest.raises(ImageNotFound) as caught:
        source.blob(layer, yard.store.download(layer.digest.hex))
    assert "wheelship lock --upgrade" in (caught.value.hint or "")


# --- what must not meet ---


def test_our_files_over_the_bases_are_refused(yard: Any, layer: MakeLayer) -> None:
    site = "opt/venv/lib/python3.11/site-packages"
    wheel = yard.lock(make_wheel("one", files={"one/__init__.py": b"a = 1\n"}))
    base = locked(yard, MadeBase())
    foreign = plan_on(base).layers[0]
    assert isinstance(foreign.recipe, ForeignRecipe)
    plan = yard.plan(foreign, layer(wheel))
    build_image(plan, yard.context)

    def with_files(*rows: list[str]) -> ImagePlan:
        other = replace(
            base, layers=(replace(base.layers[0], diff_id=Digest.of(str(rows).encode())),)
        )
        yard.store.mark(files_key(other), list(rows))
        recipe = ForeignRecipe(base=other, layer=other.layers[0])
        return yard.plan(replace(foreign, key=other.layers[0].key, recipe=recipe), layer(wheel))

    for rows in (
        [f"{site}/one/__init__.py", "f", Digest.of(b"other").hex],
        [f"{site}/one/__init__.py", "l", ""],
        [f"{site}/one", "l", ""],
        [f"{site}/one", "f", Digest.of(b"").hex],
    ):
        with pytest.raises(ConflictingFiles, match="base"):
            build_image(with_files(rows), yard.context)
    same = [f"{site}/one/__init__.py", "f", Digest.of(b"a = 1\n").hex]
    build_image(with_files(same, [f"{site}/one", "d", ""], ["etc/hosts", "f", "00"]), yard.context)


def test_the_identity_of_the_base_may_be_replaced(yard: Any) -> None:
    made = MadeBase()
    base = locked(yard, made)
    plan = plan_on(base, user=(1000, 50))
    (layer,) = (one for one in plan.layers if isinstance(one.recipe, ConfigurationRecipe))
    build_image(plan, context_of(yard, made))
    from wheelship.testing.layer import read_layer

    record = yard.store.find_layer(layer.key)
    found = read_layer(yard.store.blob(record.digest).read_bytes())
    passwd = found["etc/passwd"].data.decode()
    assert passwd.startswith("root:x:0:0:root:/root:/bin/sh\n")
    assert passwd.endswith("app:x:1000:50:app:/tmp:/sbin/nologin\n")
    assert found["etc/group"].data.decode() == "root:x:0:\napp:x:50:\n"


@pytest.mark.parametrize(
    ("workdir", "writable", "hint"),
    [("/bin/app", (), '"/usr/bin/app"'), ("/app", ("/data", "/bin"), '"/usr/bin"')],
)
def test_directories_behind_a_link_of_the_base_are_refused(
    yard: Any, workdir: str, writable: tuple[str, ...], hint: str
) -> None:
    base = locked(yard, MadeBase())
    with pytest.raises(BaseOccupied, match="link /bin") as caught:
        check_links(base, replace(VARIANT, workdir=workdir, writable=writable))
    assert hint in (caught.value.hint or "")
    check_links(base, replace(VARIANT, workdir="/usr/bin/app", writable=("/binary",)))


# --- the lock ---


def request_in(root: Path, requires_python: str | None = None, **changes: Any) -> Request:
    return Request(
        project=project(root, requires_python),
        variants={"cpu": replace(VARIANT, **changes)},
        default_variant="cpu",
    )


def test_a_tag_is_looked_up_only_to_upgrade(yard: Any, tmp_path: Path) -> None:
    first, second = MadeBase(), MadeBase(BASE_FILES, {"new": b"1"})
    asked: list[MadeBase] = []

    def lock(made: MadeBase, **options: bool) -> tuple[BaseImage, bool]:
        def source() -> MadeBase:
            asked.append(made)
            return made

        request = request_in(tmp_path)
        variant = request.variants["cpu"]
        options = {"update": True, **options}
        return image_lock(request, variant, AMD64, yard.store, source, discard, **options)

    with pytest.raises(LockOutOfDate, match="no base"):
        lock(first, update=False)
    assert asked == []
    found, written = lock(first)
    assert (written, asked) == (True, [first])
    assert lock(second) == (found, False)
    assert lock(second, update=False) == (found, False)
    assert asked == [first]
    newer, written = lock(second, upgrade=True)
    assert written
    assert newer.digest == Digest.of(second.manifest)
    assert read_lock(tmp_path / "wheelship.lock").images == (newer,)
    before = (tmp_path / "wheelship.lock").read_bytes()
    assert lock(second, upgrade=True) == (newer, False)
    assert (tmp_path / "wheelship.lock").read_bytes() == before


def test_entries_that_no_variant_needs_go_and_others_stay(yard: Any, tmp_path: Path) -> None:
    base = locked(yard, MadeBase())
    arm = replace(base, platform=ARM64)
    write_lock(tmp_path / "wheelship.lock", (), [replace(base, reference="old:1"), arm])
    request = request_in(tmp_path, platforms=(AMD64, ARM64))
    variant = request.variants["cpu"]
    image_lock(request, variant, AMD64, yard.store, MadeBase, discard, update=True)
    images = read_lock(tmp_path / "wheelship.lock").images
    assert images == (base, arm)


def test_without_images_the_lock_is_what_it_was(tmp_path: Path) -> None:
    write_lock(tmp_path / "wheelship.lock", ())
    document = json.loads((tmp_path / "wheelship.lock").read_text())
    assert document == {"version": 1, "debian": []}


def test_requires_python_meets_the_images_exact_version(yard: Any, tmp_path: Path) -> None:
    for requires, fits in ((">=3.11.2", True), (">=3.11.3", False), (None, True)):
        request = request_in(tmp_path, requires)
        variant = request.variants["cpu"]

        def lock(request: Request = request, variant: Variant = variant) -> BaseImage:
            store = yard.store
            return image_lock(request, variant, AMD64, store, MadeBase, discard, update=True)[0]

        if fits:
            assert lock().python.version == "3.11.2"
            continue
        with pytest.raises(PythonNotAllowed, match=r"3\.11\.2"):
            lock()


def test_wheels_are_chosen_for_the_images_python_and_c_library(yard: Any) -> None:
    base = locked(yard, MadeBase())
    old = replace(base, python=replace(base.python, version="3.12.1", glibc="2.28"))
    target = target_of(old)
    assert (target.python, target.python_full) == ("3.12", "3.12.1")
    assert target.uv_platform == "x86_64-manylinux_2_28"
    platforms = {tag.platform for tag in target.tags()}
    assert "manylinux_2_28_x86_64" in platforms
    assert "manylinux_2_29_x86_64" not in platforms
    assert target.environment()["python_full_version"] == "3.12.1"
    plain = lock_inputs(project(), VARIANT)
    assert plain.bases == ()
    assert lock_inputs(project(), VARIANT, [target]).bases == (
        "linux/amd64 Python 3.12.1 glibc 2.28",
    )
    lines = plain.differences(lock_inputs(project(), VARIANT, [target]))
    assert lines == ("base: + linux/amd64 Python 3.12.1 glibc 2.28",)
