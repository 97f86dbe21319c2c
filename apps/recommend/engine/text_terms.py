"""What a text is made of, for matching: folded words, and pieces of words that forgive typing errors."""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

WORD = "w"
PIECE = "p"
LONGEST_WORD = 40
FIRST_IDEOGRAM = "\u2e80"  # from here on scripts do without spaces: pairs of characters are words

_words = re.compile(r"\w+")


def terms(text: str) -> Iterator[str]:
    """The terms of `text`: "wlantern" for a word; "p la", "plan", ... for its pieces of three and four characters."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    for match in _words.finditer("".join(c for c in folded if not unicodedata.combining(c))):
        word = match.group()[:LONGEST_WORD]
        yield WORD + word
        framed = f" {word} "
        for size in (2, 3) if word[0] >= FIRST_IDEOGRAM else (3, 4):
            for start in range(len(framed) - size + 1):
                yield PIECE + framed[start : start + size]


def terms_of_item(text: str) -> Iterator[str]:
    """As `terms`, the first line (the title) counted twice."""
    yield from terms(text.partition("\n")[0])
    yield from terms(text)


def keys_of(texts: list[str]) -> NDArray[np.uint64]:
    """A 64-bit hash of each text: sorted and memory-mapped, they are a vocabulary that costs no Python object."""
    return np.array([int.from_bytes(blake2b(t.encode(), digest_size=8).digest(), "little") for t in texts], np.uint64)
