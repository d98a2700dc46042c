# SPDX-License-Identifier: Apache-2.0
"""Makes DEFLATE streams bit by bit (RFC 1951), so that their code tables can be wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["END_OF_BLOCK", "dynamic_block"]

END_OF_BLOCK = 256
_LENGTH_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_LONGEST = 15


def dynamic_block(
    symbols: Sequence[int],
    *,
    literals: Mapping[int, int],
    distances: Mapping[int, int] | None = None,
    meta: Mapping[int, int] | None = None,
    literal_count: int | None = None,
    distance_count: int | None = None,
) -> bytes:
    """Return one final block with dynamic codes that encodes the literals ``symbols``.

    ``literals`` and ``distances`` give each symbol's code length in bits, ``meta`` that of the
    lengths themselves; nothing makes sure that they form complete codes. The counts say how many
    lengths are transmitted.
    """
    distances = {0: 1} if distances is None else distances
    literal_count = literal_count or max(257, max(literals) + 1)
    distance_count = distance_count or max(1, max(distances, default=0) + 1)
    lengths = [literals.get(one, 0) for one in range(literal_count)]
    lengths += [distances.get(one, 0) for one in range(distance_count)]
    meta = _even_lengths(set(lengths)) if meta is None else meta
    bits: list[int] = []

    def number(value: int, count: int) -> None:
        bits.extend(value >> place & 1 for place in range(count))

    def symbol(code: tuple[int, int]) -> None:
        bits.extend(code[0] >> place & 1 for place in reversed(range(code[1])))

    number(0b101, 3)  # the final block; dynamic codes
    number(literal_count - 257, 5)
    number(distance_count - 1, 5)
    number(len(_LENGTH_ORDER) - 4, 4)
    for one in _LENGTH_ORDER:
        number(meta.get(one, 0), 3)
    length_codes, literal_codes = _codes(meta), _codes(literals)
    for length in lengths:
        symbol(length_codes[length])
    for one in symbols:
        symbol(literal_codes[one])
    bits += [0] * (-len(bits) % 8)
    return bytes(
        sum(bit << place for place, bit in enumerate(bits[at : at + 8]))
        for at in range(0, len(bits), 8)
    )


def _even_lengths(used: set[int]) -> dict[int, int]:
    """Return a complete code for ``used``: all but the last two symbols count in unary."""
    ordered = sorted(used | {0, 1})
    last = len(ordered) - 1
    return {one: min(place + 1, last) for place, one in enumerate(ordered)}


def _codes(lengths: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """Give Huffman codes to symbols by their code lengths (RFC 1951, 3.2.2)."""
    codes: dict[int, tuple[int, int]] = {}
    code = 0
    for length in range(1, _LONGEST + 1):
        for one in sorted(lengths):
            if lengths[one] == length:
                codes[one] = (code, length)
                code += 1
        code <<= 1
    return codes
