# SPDX-License-Identifier: Apache-2.0
"""What a project tells uv under ``[tool.uv]`` holds for its locks too, or is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheelship.cli.services import native_platform
from wheelship.testing.index import PackageIndex
from wheelship.testing.sdist import make_sdist
from wheelship.testing.wheel import make_wheel

pytestmark = pytest.mark.integration

MACHINE = native_platform().machine
TAG = f"cp311-cp311-manylinux_2_28_{MACHINE}"
_PROJECT = """\
[project]
name = "demo"
version = "1.0"
requires-python = ">=3.11"
dependencies = [{requirements}]
{project}
[tool.wheelship]
python = "3.11"
command = ["demo"]
bytecode = "none"
debian-mirror = "{mirror}"
{table}
"""


def write(
    site: Any, *requirements: str, project: str = "", table: str = "", index: bool = True
) -> None:
    quoted = ", ".join(f"'{one}'" for one in requirements)
    own = f'index = "{site.index.simple_url}"\n' if index else ""
    text = _PROJECT.format(
        requirements=quoted, project=project, table=own + table, mirror=f"{site.index.url}/debian"
    )
    (site.root / "pyproject.toml").write_text(text)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[PackageIndex]:
    """A second index; its wheels have other bytes than the first one's."""
    (tmp_path / "other").mkdir()
    with PackageIndex(tmp_path / "other") as index:
        yield index


def packages(site: Any, variant: str = "cpu") -> dict[str, dict[str, Any]]:
    document = tomllib.loads((site.root / f"pylock.{variant}.toml").read_text())
    return {one["name"]: one for one in document["packages"]}


def versions(site: Any, variant: str = "cpu") -> dict[str, str]:
    return {name: one["version"] for name, one in packages(site, variant).items()}


def place(site: Any, name: str, variant: str = "cpu") -> str:
    wheel = packages(site, variant)[name]["wheels"][0]
    return str(wheel.get("url") or wheel["path"])


def lock(site: Any, *options: str, status: int = 0) -> Any:
    return site.run("lock", str(site.root), *options, status=status)


# Where a package comes from


def test_a_source_sends_one_package_to_one_index(site: Any, other: PackageIndex) -> None:
    """The main index has a newer one, which may be anybody's."""
    site.serve(make_wheel("inner", "9.0"), make_wheel("app"))
    make_wheel("inner", "1.0").write(other.files)
    make_wheel("app", "9.0").write(other.files)
    uv = f"""
[[tool.uv.index]]
name = "company"
url = "{other.simple_url}"
explicit = true
[tool.uv.sources]
inner = {{ index = "company" }}
"""
    write(site, "inner", "app", project=uv)
    lock(site)
    assert versions(site) == {"app": "1.0", "inner": "1.0"}
    assert place(site, "inner") == other.file_url("inner-1.0-py3-none-any.whl")


def test_sources_hold_for_the_extras_groups_and_markers_they_name(
    site: Any, other: PackageIndex
) -> None:
    site.serve(make_wheel("inner", "1.0"))
    make_wheel("inner", "2.0").write(other.files)
    uv = f"""
[project.optional-dependencies]
fast = ["inner"]
[dependency-groups]
serve = ["inner"]
[[tool.uv.index]]
name = "company"
url = "{other.simple_url}"
explicit = true
[tool.uv.sources]
inner = [
    {{ index = "company", extra = "fast" }},
    {{ index = "company", group = "serve" }},
    {{ index = "company", marker = "python_version >= '3.13'" }},
    {{ index = "company", marker = "sys_platform == 'win32'" }},
]
"""
    table = """
[tool.wheelship.variants.cpu]
[tool.wheelship.variants.fast]
accelerator = "cpu"
extras = ["fast"]
[tool.wheelship.variants.served]
accelerator = "cpu"
groups = ["serve"]
"""
    write(site, "inner", project=uv, table=table)
    lock(site)
    assert {name: versions(site, name)["inner"] for name in ("cpu", "fast", "served")} == {
        "cpu": "1.0",
        "fast": "2.0",
        "served": "2.0",
    }


def test_indexes_of_uv_are_asked_in_its_order(site: Any, other: PackageIndex) -> None:
    site.serve(make_wheel("app", "2.0"), make_wheel("both", "2.0"))
    make_wheel("both", "1.0").write(other.files)
    uv = f"""
[[tool.uv.index]]
url = "{other.simple_url}"
[[tool.uv.index]]
url = "{site.index.simple_url}"
default = true
"""
    write(site, "app", "both", project=uv, index=False)
    lock(site)
    assert versions(site) == {"app": "2.0", "both": "1.0"}
    write(site, "app", "both", project=uv)  # the key `index` of the table wins over both
    done = lock(site, "--upgrade", "both", "--dry-run")
    assert "both 1.0 → 2.0" in done.out


def test_wheels_by_path_directory_and_address(site: Any, other: PackageIndex) -> None:
    for name in ("one", "two", "three", "four"):
        site.serve(make_wheel(name, "9.0"))
    (site.root / "dist").mkdir()
    (site.root / "flat").mkdir()
    one = make_wheel("one", "1.0").write(site.root / "dist")
    make_wheel("two", "2.0").write(site.root / "dist")
    make_wheel("four", "4.0").write(site.root / "flat")
    make_wheel("three", "3.0", requires=["helper"]).write(other.files)
    site.serve(make_wheel("helper"))
    uv = f"""
[[tool.uv.index]]
name = "flat"
url = "flat"
format = "flat"
explicit = true
[tool.uv.sources]
one = {{ path = "dist/{one.name}" }}
two = {{ path = "dist" }}
three = {{ url = "{other.file_url("three-3.0-py3-none-any.whl")}" }}
four = {{ index = "flat" }}
"""
    write(site, "one", "two", "three>=1", "four", project=uv)
    (site.root / "demo.py").write_text("")
    lock(site)
    assert versions(site) == {
        "four": "4.0", "helper": "1.0", "one": "1.0", "three": "3.0", "two": "2.0",
    }  # fmt: skip
    assert place(site, "one") == "dist/one-1.0-py3-none-any.whl"
    assert place(site, "four") == "flat/four-4.0-py3-none-any.whl"
    assert str(site.root) not in (site.root / "pylock.cpu.toml").read_text()
    image = site.build()
    assert {"one", "two", "three", "four"} <= {
        one["name"] for layer in image["layers"] for one in layer["packages"]
    }


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            '{ git = "https://me:word@example.org/inner" }',
            "a repository (https://example.org/inner)",
        ),
        ("{ workspace = true }", "a member of the workspace"),
        ('{ path = "../inner", editable = true }', "a file (../inner)"),
        ('{ url = "https://example.org/inner-1.0.tar.gz" }', "an archive"),
    ],
)
def test_what_must_be_built_and_may_not_needs_a_local_wheel_of_its_name(
    site: Any, source: str, says: str
) -> None:
    """The public index has a package of that name, which is somebody else's."""
    site.serve(make_wheel("inner", "9.0"))
    uv = f"[tool.uv.sources]\ninner = {source}\n"
    write(site, "inner>=1", project=uv, table="sdist = false")
    error = site.refuse(
        "lock", str(site.root), code="not-a-wheel", status=3, says=["tool.uv.sources.inner", says]
    )
    assert "word" not in str(error)
    assert 'find-links = ["wheels"]' in error["hint"]
    (site.root / "wheels").mkdir()
    make_wheel("inner", "1.0").write(site.root / "wheels")
    write(site, "inner>=1", project=uv, table='find-links = ["wheels"]')
    lock(site)
    assert place(site, "inner") == "wheels/inner-1.0-py3-none-any.whl"


# The accelerator decides


def torch_indexes(site: Any, other: PackageIndex) -> str:
    """One server plays torch's: below whl/cpu are CPU builds; the main index has those for CUDA."""
    make_wheel("torch", "2.13.0+cpu", tag=TAG, purelib=False).write(other.files)
    site.serve(make_wheel("torch", "2.13.0+cu130", tag=TAG, purelib=False))
    other.redirects["/whl/cpu/torch/"] = "/simple/torch/"
    site.index.redirects["/whl/cu130/torch/"] = "/simple/torch/"
    return f"""
[[tool.uv.index]]
name = "pytorch-cpu"
url = "{other.url}/whl/cpu"
explicit = true
[[tool.uv.index]]
name = "mirror"
url = "{site.index.simple_url}"
explicit = true
[tool.uv.sources]
torch = {{ index = "SOURCE" }}
"""


def test_a_source_of_another_accelerator_gives_way_to_the_variant(
    site: Any, other: PackageIndex
) -> None:
    uv = torch_indexes(site, other).replace("SOURCE", "pytorch-cpu")
    table = '[tool.wheelship.variants.cpu]\n[tool.wheelship.variants.cuda]\nversion = "13.0"\n'
    write(
        site, "torch>=2", project=uv, table=f'torch-index = "{site.index.url}/whl/cu130"\n' + table
    )
    done = lock(site, "--variant", "cuda")
    assert versions(site, "cuda") == {"torch": "2.13.0+cu130"}
    assert "warning[uv-source-not-used]: tool.uv.sources.torch: the index pytorch-cpu" in done.err
    assert "is for cpu, not for cuda 13.0; the variant decides" in done.err
    write(site, "torch>=2", project=uv, table=table)
    done = lock(site, "--variant", "cpu")
    assert versions(site, "cpu") == {"torch": "2.13.0+cpu"}
    assert place(site, "torch").startswith(other.url)
    assert "uv-source-not-used" not in done.err


@pytest.mark.parametrize("requirement", ["torch>=2", "torch==2.13.0"])
def test_a_mirror_takes_the_place_of_the_accelerator_s_index(
    site: Any, other: PackageIndex, requirement: str
) -> None:
    """Also where the main index is known to have a fitting build: the project names the mirror."""
    uv = torch_indexes(site, other).replace("SOURCE", "mirror")
    main = f'[[tool.uv.index]]\nurl = "{other.simple_url}"\ndefault = true\n'
    table = '[tool.wheelship.variants.cuda]\nversion = "13.0"'
    write(site, requirement, project=main + uv, table=table, index=False)
    lock(site)
    assert place(site, "torch", "cuda").startswith(site.index.url)


def test_a_mirror_s_wrong_build_is_found(site: Any, other: PackageIndex) -> None:
    uv = torch_indexes(site, other).replace("SOURCE", "mirror")
    write(site, "torch>=2", project=uv)
    says = ["torch 2.13.0+cu130 is a build for cu130"]
    site.refuse("lock", str(site.root), code="inconsistent-packages", status=3, says=says)


def test_sources_by_extra_choose_the_build_of_each_variant(site: Any, other: PackageIndex) -> None:
    """The table that torch's own documentation gives for uv, extras as variants choose them."""
    uv = torch_indexes(site, other).replace(
        '{ index = "SOURCE" }',
        '[{ index = "pytorch-cpu", extra = "cpu" }, { index = "mirror", extra = "cuda" }]',
    )
    extras = """
[project.optional-dependencies]
cpu = ["torch>=2"]
cuda = ["torch>=2"]
[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "cuda" }]]
"""
    table = """
[tool.wheelship.variants.cpu]
extras = ["cpu"]
exclude = ["useless"]
[tool.wheelship.variants.cuda]
version = "13.0"
extras = ["cuda"]
"""
    write(site, "app", project=extras + uv, table=table)
    site.serve(make_wheel("app", requires=["useless"]), make_wheel("useless"))
    done = lock(site)
    assert "warning" not in done.err
    assert versions(site, "cpu") == {"app": "1.0", "torch": "2.13.0+cpu"}
    assert versions(site, "cuda") == {"app": "1.0", "torch": "2.13.0+cu130", "useless": "1.0"}
    write(site, "app", project=extras + uv, table=table.replace('["cuda"]', '["cuda", "cpu"]'))
    before = len(site.index.received)
    error = site.refuse("lock", str(site.root), code="configuration", status=3)
    assert "extra 'cpu' and extra 'cuda' exclude each other" in error["message"]
    assert len(site.index.received) == before


# Settings that change which versions are chosen


def test_overrides_exclusions_constraints_and_metadata(site: Any) -> None:
    site.serve(
        make_wheel("app", requires=["helper<2", "useless", "narrow"]),
        *(make_wheel("helper", version) for version in ("1.0", "2.0")),
        *(make_wheel("narrow", version) for version in ("1.0", "2.0")),
        make_wheel("useless"),
        make_wheel("liar", requires=["absent"]),
    )
    uv = """
[tool.uv]
override-dependencies = ["helper==2.0"]
exclude-dependencies = ["useless"]
constraint-dependencies = ["narrow<2"]
dependency-metadata = [{ name = "liar", version = "1.0", requires-dist = [] }]
"""
    write(site, "app", "liar", project=uv)
    lock(site)
    assert versions(site) == {"app": "1.0", "helper": "2.0", "liar": "1.0", "narrow": "1.0"}
    write(site, "app", "liar", project=uv.replace("helper==2.0", "helper==1.0"))
    error = site.refuse("lock", str(site.root), "--check", code="lock-out-of-date", status=3)
    assert "cpu: overrides: + helper==1.0" in error["message"]
    lock(site)
    assert versions(site)["helper"] == "1.0"


def test_resolution_and_prerelease(site: Any) -> None:
    site.serve(*(make_wheel("app", version) for version in ("1.0", "2.0", "3.0rc1")))
    for setting, version in (
        ('resolution = "lowest-direct"', "1.0"),
        ('prerelease = "allow"', "3.0rc1"),
        ("", "2.0"),
    ):
        write(site, "app>=1", project=f"[tool.uv]\n{setting}\n")
        lock(site, "--upgrade", "app")
        assert versions(site) == {"app": version}


def test_uv_toml_takes_the_place_of_the_table(site: Any) -> None:
    site.serve(*(make_wheel("app", version) for version in ("1.0", "2.0rc1")))
    write(site, "app>=1", project="[tool.uv]\nconstraint-dependencies = ['app<1']\n")
    (site.root / "uv.toml").write_text('prerelease = "allow"\n')
    lock(site)
    assert versions(site) == {"app": "2.0rc1"}


def test_exclude_newer_does_not_hide_local_wheels(site: Any) -> None:
    """Neither they nor this index tell when a file was uploaded."""
    (site.root / "wheels").mkdir()
    make_wheel("app").write(site.root / "wheels")
    site.serve(make_wheel("helper"))
    uv = '[tool.uv]\nexclude-newer = "2026-01-01T00:00:00Z"\n'
    sources = '[tool.uv.sources]\napp = { path = "wheels" }\n'
    for project, table in ((uv + sources, ""), (uv, 'find-links = ["wheels"]')):
        write(site, "app", project=project, table=table)
        lock(site)
        assert versions(site) == {"app": "1.0"}
    write(site, "helper", project=uv)
    error = site.refuse("lock", str(site.root), code="unresolvable", status=3)
    assert "exclude-newer" in error["message"]


def test_packages_without_binaries_are_built(site: Any) -> None:
    site.serve(make_wheel("app", requires=["native"]), make_wheel("native"))
    made = make_sdist("native")
    made.write(site.index.files)
    write(site, "app", project='[tool.uv]\nno-binary-package = ["native"]\n')
    lock(site)
    assert packages(site, "cpu")["native"]["sdist"]["url"].endswith(made.filename)


def test_packages_without_binaries_need_a_local_wheel_where_nothing_is_built(site: Any) -> None:
    site.serve(make_wheel("app", requires=["native"]), make_wheel("native"))
    uv = '[tool.uv]\nno-binary-package = ["native"]\n'
    write(site, "app", project=uv, table="sdist = false")
    error = site.refuse("lock", str(site.root), code="not-a-wheel", status=3, says=["native"])
    assert "pip wheel --no-deps --no-binary native" in error["hint"]
    (site.root / "wheels").mkdir()
    make_wheel("native").write(site.root / "wheels")
    write(site, "app", project=uv, table='find-links = ["wheels"]')
    lock(site)
    assert place(site, "native").startswith("wheels/")


def test_a_platform_that_no_environment_names_is_refused(site: Any) -> None:
    other = "arm64" if MACHINE == "x86_64" else "amd64"
    uv = f"[tool.uv]\nenvironments = [\"platform_machine == '{MACHINE}'\"]\n"
    write(site, "alpha", project=uv)
    lock(site)
    write(site, "alpha", project=uv, table=f'platforms = ["linux/{other}"]')
    error = site.refuse("lock", str(site.root), code="platform-excluded", status=3)
    assert error["where"] == "tool.uv.environments"


def test_credentials_of_an_index_reach_neither_lock_nor_output(
    site: Any, other: PackageIndex
) -> None:
    make_wheel("inner").write(other.files)
    other.login = ("me", "secret-word")
    address = other.simple_url.replace("://", "://me:secret-word@")
    uv = f"""
[[tool.uv.index]]
name = "company"
url = "{address}"
explicit = true
[tool.uv.sources]
inner = {{ index = "company" }}
"""
    write(site, "inner", project=uv)
    done = lock(site, "--verbose")
    assert place(site, "inner") == other.file_url("inner-1.0-py3-none-any.whl")
    assert "warning[lock-needs-credentials]" in done.err
    for text in (done.out, done.err, (site.root / "pylock.cpu.toml").read_text()):
        assert "secret-word" not in text
    image = site.build()
    assert image["layers"]
    other.login = ("me", "another-word")
    refused = site.run("lock", str(site.root), "--upgrade", "inner", status=4)
    assert "secret-word" not in refused.err


def test_credentials_under_the_index_s_name_serve_locking_and_downloading(
    site: Any, other: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``UV_INDEX_NAME_PASSWORD`` is how uv's users keep them out of the project."""
    make_wheel("inner").write(other.files)
    site.serve(make_wheel("inner", "9.0"))
    other.login = ("me", "p@ss/word")
    monkeypatch.setenv("UV_INDEX_THE_COMPANY_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_THE_COMPANY_PASSWORD", "p@ss/word")
    uv = f"""
[[tool.uv.index]]
name = "the-company"
url = "{other.simple_url}"
{{explicit}}
[tool.uv.sources]
inner = {{{{ index = "the-company" }}}}
"""
    for explicit in ("explicit = true", ""):
        write(site, "inner", project=uv.format(explicit=explicit), index=not explicit)
        monkeypatch.setenv("UV_DEFAULT_INDEX", site.index.simple_url)
        done = lock(site)
        assert versions(site) == {"inner": "1.0"}
        assert "warning[lock-needs-credentials]" in done.err
        assert site.build()["layers"]
        for text in (done.err, (site.root / "pylock.cpu.toml").read_text()):
            assert "p@ss" not in text


# Extras that name extras, requirements in files


def test_an_extra_may_name_others(site: Any) -> None:
    site.serve(make_wheel("sound"), make_wheel("web"), make_wheel("late"))
    extras = """
[project.optional-dependencies]
audio = ["sound"]
late = ["late"]
all = ["Demo[audio, web]", "demo[late]; python_version >= '3.13'"]
web = ["web", "demo[audio]"]
"""
    write(site, project=extras, table='extras = ["all"]')
    lock(site)
    assert versions(site) == {"sound": "1.0", "web": "1.0"}


def test_variants_may_name_requirements_files(site: Any) -> None:
    site.serve(*(make_wheel(name) for name in ("app", "gpu", "plain", "held")))
    site.serve(make_wheel("held", "2.0"))
    (site.root / "requirements.txt").write_text("app\n-c constraints.txt\n")
    (site.root / "constraints.txt").write_text("held<2\n")
    (site.root / "requirements-gpu.txt").write_text("-r requirements.txt\ngpu\nheld\n")
    (site.root / "pyproject.toml").unlink()
    (site.root / "wheelship.toml").write_text(f"""
python = "3.11"
command = ["demo"]
index = "{site.index.simple_url}"
[variants.cpu]
[variants.more]
accelerator = "cpu"
requirements = ["requirements-gpu.txt"]
[variants.both]
accelerator = "cpu"
requirements = ["requirements.txt", "plain.txt"]
""")
    (site.root / "plain.txt").write_text("plain\n")
    lock(site)
    assert versions(site, "cpu") == {"app": "1.0"}
    assert versions(site, "more") == {"app": "1.0", "gpu": "1.0", "held": "1.0"}
    assert versions(site, "both") == {"app": "1.0", "plain": "1.0"}
    (site.root / "plain.txt").unlink()
    error = site.refuse("lock", str(site.root), code="configuration", status=3, hinted=False)
    assert "plain.txt" in error["message"]


def test_hashes_in_requirements_files_are_held_to(site: Any) -> None:
    """As ``pip-compile --generate-hashes`` writes them: one line per file, all or nothing."""
    app = make_wheel("app", "1.0", requires=["helper"])
    helper = make_wheel("helper", "1.0")
    site.serve(app, helper, make_wheel("torch", "2.13.0+cpu", tag=TAG, purelib=False))
    (site.root / "pyproject.toml").unlink()
    (site.root / "wheelship.toml").write_text(
        f'python = "3.11"\ncommand = ["demo"]\nindex = "{site.index.simple_url}"\n'
        f'torch-index = "{site.index.simple_url}"\n'
    )
    lines = [
        f"app==1.0 --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{app.sha256}  # via nobody",
        f"helper==1.0 \\\n    --hash=md5:00 --hash=sha256:{helper.sha256}",
        f"torch==2.13.0 --hash=sha256:{'1' * 64}",
    ]
    requirements = site.root / "requirements.txt"
    requirements.write_text("\n".join(lines))
    lock(site)
    assert versions(site) == {"app": "1.0", "helper": "1.0", "torch": "2.13.0+cpu"}
    requirements.write_text("\n".join([lines[0], lines[2]]))
    says = ["the hashes in requirements files changed"]
    site.refuse("lock", str(site.root), "--check", code="lock-out-of-date", status=3, says=says)
    says = ["helper-1.0-py3-none-any.whl: no hash is given for the package"]
    site.refuse("lock", str(site.root), code="hash-not-allowed", status=3, says=says)
    requirements.write_text("\n".join([lines[0].replace(app.sha256, "2" * 64), *lines[1:]]))
    says = ["app-1.0-py3-none-any.whl: no hash of this file is given"]
    site.refuse("lock", str(site.root), code="hash-not-allowed", status=3, says=says)
    requirements.write_text("app --hash=md5:00")
    says = ["requirements.txt:1", "has no sha256"]
    site.refuse("lock", str(site.root), code="configuration", status=3, says=says)
