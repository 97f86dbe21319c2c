"""The next page of a slate: a text that says what earlier pages showed. Nothing is stored for it."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from apps.recommend.asking import MAX_DEPTH


def cursor(shown: Sequence[int]) -> str | None:
    """A cursor behind the items with these (our) ids, in order; None once MAX_DEPTH have been shown."""
    if len(shown) >= MAX_DEPTH:
        return None
    return urlsafe_b64encode(struct.pack(f"<{len(shown)}Q", *shown)).rstrip(b"=").decode()


def shown(text: str) -> tuple[int, ...]:
    """The ids that `cursor` wrote. Raises ValueError for a text that it did not write."""
    if len(text) > 11 * MAX_DEPTH or not text.isascii():
        raise ValueError("not a cursor")
    content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if not content or len(content) % 8 or len(content) >= 8 * MAX_DEPTH:
        raise ValueError("not a cursor")
    ids = struct.unpack(f"<{len(content) // 8}Q", content)
    if max(ids) >= 2**63 or cursor(ids) != text:
        raise ValueError("not a cursor")
    return ids
