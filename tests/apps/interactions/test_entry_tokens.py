import dataclasses
import hashlib
import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from apps.interactions.entry_token import (
    LIFETIME,
    TEXTS_MAX,
    TOKEN_MAX,
    BadToken,
    Entry,
    EntryToken,
    sign,
    sign_all,
    verify,
)

short = st.text(max_size=TEXTS_MAX // 4 // 4)  # a character takes up to four bytes
tokens = st.builds(
    EntryToken,
    recomm_id=st.uuids(),
    item_id=st.integers(0, 2**63 - 1),
    position=st.integers(0, 2**16 - 1),
    placement=short,
    plan_digest=st.one_of(st.just(""), st.binary(min_size=8, max_size=8).map(bytes.hex)),
    variant=short,
    model_version=short,
    source=short,
    propensity=st.one_of(st.none(), st.floats(0, 1)),
    policy_state=st.one_of(st.none(), st.integers(0, 2**63 - 1)),
    issued=st.integers(int(time.time()) - LIFETIME + 3600, int(time.time())),
)
EXAMPLE = EntryToken(uuid4(), 67890, 3, "home", "00ff" * 4, "b", "als-20261121-1", "als", 0.25, 7)


@given(tokens)
def test_a_token_says_what_was_signed_in_at_most_200_characters(token: EntryToken) -> None:
    text = sign(token)
    assert len(text) <= TOKEN_MAX
    assert verify(text) == token


@given(tokens)
def test_a_token_is_its_fields_and_their_hmac(token: EntryToken) -> None:
    raw = urlsafe_b64decode(sign(token) + "==")
    key = hashlib.sha256(b"recsys.entry_token." + settings.SECRET_KEY.encode()).digest()
    assert raw[-16:] == hmac.digest(key, raw[:-16], "sha256")[:16]
    assert raw[2:18] == token.recomm_id.bytes
    assert int.from_bytes(raw[18:26], "big") == token.item_id


own = st.builds(
    Entry,
    item_id=st.integers(0, 2**63 - 1),
    position=st.integers(0, 2**16 - 1),
    model_version=st.sampled_from(["", "als-20261121-1", "é"]),
    source=st.sampled_from(["", "als", "trending"]),
    propensity=st.one_of(st.none(), st.floats(0, 1)),
    policy_state=st.one_of(st.none(), st.integers(0, 2**63 - 1)),
)


@given(tokens, st.lists(own, max_size=8))
def test_signing_a_whole_response_is_signing_each_entry(common: EntryToken, entries: list[Entry]) -> None:
    each = [sign(dataclasses.replace(common, **entry._asdict())) for entry in entries]
    assert sign_all(common, entries) == each


@given(tokens, st.data())
def test_a_token_with_any_bit_flipped_is_refused(token: EntryToken, data: st.DataObject) -> None:
    text = sign(token)
    raw = bytearray(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadToken):
        verify(urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode())


def test_a_token_with_any_character_changed_is_refused() -> None:
    text = sign(EXAMPLE)
    for place, character in enumerate(text):
        for other in "A_9=é \n":
            if other != character:
                with pytest.raises(BadToken):
                    verify(text[:place] + other + text[place + 1 :])


@given(st.text())
def test_arbitrary_text_is_no_token(text: str) -> None:
    with pytest.raises(BadToken):
        verify(text)


@pytest.mark.parametrize("extra", ["=", "A", " ", "\n"])
def test_a_token_has_one_spelling(extra: str) -> None:
    with pytest.raises(BadToken):
        verify(sign(EXAMPLE) + extra)


def test_a_token_expires_after_its_lifetime() -> None:
    text = sign(dataclasses.replace(EXAMPLE, issued=1_000_000_000))
    assert verify(text, now=1_000_000_000 + LIFETIME).item_id == EXAMPLE.item_id
    with pytest.raises(BadToken, match="expired"):
        verify(text, now=1_000_000_001 + LIFETIME)


def test_texts_that_do_not_fit_are_refused_when_signing() -> None:
    longest = dataclasses.replace(EXAMPLE, placement="p" * (TEXTS_MAX - 18), propensity=0.1, policy_state=1)
    assert len(sign(longest)) <= TOKEN_MAX
    with pytest.raises(ValueError, match="bytes together"):
        sign(dataclasses.replace(EXAMPLE, placement="p" * TEXTS_MAX))


@pytest.mark.parametrize("wrong", [{"position": 2**16}, {"item_id": -1}, {"policy_state": -1}, {"plan_digest": "ff"}])
def test_numbers_that_do_not_fit_are_refused_when_signing(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"fit|digest"):
        sign(dataclasses.replace(EXAMPLE, **wrong))


def test_a_token_signed_with_an_older_key_holds_while_that_key_is_kept(settings: object) -> None:
    old = settings.SECRET_KEY
    text = sign(EXAMPLE)
    settings.SECRET_KEY = "new-" + old
    with pytest.raises(BadToken, match="forged"):
        verify(text)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert verify(text).recomm_id == EXAMPLE.recomm_id


def test_without_a_time_a_token_is_issued_now() -> None:
    assert abs(verify(sign(EntryToken(UUID(int=1), 1, 1))).issued - time.time()) < 60
