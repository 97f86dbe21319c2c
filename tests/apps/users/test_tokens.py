import time

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st

from apps.users.services import (
    BadUserToken,
    user_token_sign,
    user_token_verify,
    visitor_id_is_ours,
    visitor_id_issue,
)


def test_an_issued_visitor_id_is_ours_and_no_two_are_alike() -> None:
    ids = {visitor_id_issue() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(visitor_id_is_ours(one) and len(one) <= 64 and one.startswith("v-") for one in ids)


def test_a_visitor_id_with_any_character_changed_is_not_ours() -> None:
    issued = visitor_id_issue()
    for place in range(len(issued) - 1):  # the last one holds two bits only: several spellings, one meaning
        changed = "A" if issued[place] != "A" else "B"
        assert not visitor_id_is_ours(issued[:place] + changed + issued[place + 1 :])


@given(st.text())
def test_arbitrary_text_is_no_visitor_id_of_ours(text: str) -> None:
    assert not visitor_id_is_ours(text)
    assert not visitor_id_is_ours("v-" + text)


def test_visitor_ids_outlive_a_change_of_the_secret_key_while_the_old_one_is_listed(settings: object) -> None:
    issued = visitor_id_issue()
    old = settings.SECRET_KEY  # type: ignore[attr-defined]
    settings.SECRET_KEY = "another" * 10  # type: ignore[attr-defined]
    assert not visitor_id_is_ours(issued)
    settings.SECRET_KEY_FALLBACKS = [old]  # type: ignore[attr-defined]
    assert visitor_id_is_ours(issued)


@given(st.text(min_size=1, max_size=255).filter(lambda text: text.isprintable() and text.strip()))
def test_a_user_token_names_the_user_it_was_signed_for(external_id: str) -> None:
    assert user_token_verify(user_token_sign(external_id, 60)) == external_id


def test_a_user_token_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    token = user_token_sign("ann", 60)
    start = time.time()
    monkeypatch.setattr(time, "time", lambda: start + 58)
    assert user_token_verify(token) == "ann"
    monkeypatch.setattr(time, "time", lambda: start + 61)
    with pytest.raises(BadUserToken, match="expired"):
        user_token_verify(token)


@given(st.text())
def test_arbitrary_text_is_no_user_token(text: str) -> None:
    with pytest.raises(BadUserToken):
        user_token_verify(text)


def test_a_token_signed_for_something_else_is_no_user_token() -> None:
    with pytest.raises(BadUserToken):
        user_token_verify(signing.dumps(["ann", int(time.time()) + 60], salt="another purpose"))


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
def test_a_user_token_lives_a_day_at_most(seconds: int) -> None:
    with pytest.raises(ValueError, match="86,400"):
        user_token_sign("ann", seconds)
