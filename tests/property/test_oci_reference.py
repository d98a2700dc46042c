# SPDX-License-Identifier: Apache-2.0
"""Names of images: one complete form each, and nothing but the error for anything else."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from wheelship.oci.digest import Digest
from wheelship.oci.reference import InvalidReference, Reference

WORDS = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
SEPARATORS = st.sampled_from([".", "_", "__", "-", "---"])
COMPONENTS = st.builds(lambda a, s, b: a + s + b, WORDS, SEPARATORS, WORDS) | WORDS
HOSTS = st.sampled_from(
    ["docker.io", "ghcr.io", "localhost", "localhost:5000", "127.0.0.1:80", "[::1]:1", "r:65535"]
)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
DIGESTS = st.binary().map(Digest.of)
REFERENCES = st.builds(
    Reference,
    host=HOSTS,
    repository=st.lists(COMPONENTS, min_size=2, max_size=4).map("/".join),
    tag=st.none() | TAGS,
    digest=st.none() | DIGESTS,
)


@given(reference=REFERENCES)
def test_the_complete_form_names_the_same_image(reference: Reference) -> None:
    """What we print, another tool reads."""
    assert Reference.parse(str(reference)) == reference


@given(reference=REFERENCES)
def test_docker_hub_is_the_default(reference: Reference) -> None:
    """distribution/reference: a first component without dot or colon is no host."""
    assume("." not in reference.repository.partition("/")[0])
    short = str(reference).removeprefix("docker.io/")
    assert Reference.parse(short) == reference


PIECES = st.sampled_from(["a", "B", "/", ":", "@", ".", "-", "_", "[", "]", "5000", "sha256:", " "])


@given(text=st.text(max_size=300) | st.lists(PIECES, max_size=30).map("".join))
def test_anything_is_a_reference_or_the_error(text: str) -> None:
    """distribution-spec: names and tags keep to their grammars; host and name to 255 characters."""
    try:
        found = Reference.parse(text)
    except InvalidReference:
        return
    assert Reference.parse(str(found)) == found
    assert found.repository == found.repository.lower()
    assert len(found.name) <= 255
    assert not set(found.name) & set(" \n\t@?#%\\")
