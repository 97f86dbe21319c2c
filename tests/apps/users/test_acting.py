from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.api.parsing import JsonBodyParser
from apps.api.problems import Problem
from apps.users.acting import acting_user
from apps.users.authentication import ApiKeyAuthentication
from apps.users.services import user_token_sign, visitor_id_issue
from tests.factories import public_key, secret_key

pytestmark = pytest.mark.django_db


def asked(key: str, *, query: str = "", body: Any = None, token: str = "") -> Request:
    headers = {"Authorization": f"Bearer {key}"} | ({"X-User-Token": token} if token else {})
    request = APIRequestFactory().post(f"/api/v1/interactions?{query}", body or {}, format="json", headers=headers)
    return Request(request, authenticators=[ApiKeyAuthentication()], parsers=[JsonBodyParser()])


def refused(request: Request, user_id: str | None) -> str | None:
    with pytest.raises(Problem) as problem:
        acting_user(request, user_id)
    assert problem.value.status_code == 403
    return problem.value.field


def test_a_secret_key_acts_for_anybody() -> None:
    key = secret_key()
    assert acting_user(asked(key), "ann") == "ann"
    assert acting_user(asked(key), None) is None


def test_a_public_key_acts_for_a_visitor_we_issued_but_for_nobody_whose_id_can_be_tried() -> None:
    key, visitor = public_key(), visitor_id_issue()
    assert acting_user(asked(key), visitor) == visitor
    assert acting_user(asked(key), None) is None
    for other in ("ann", "12345", "v-" + "A" * 44, visitor + "x", visitor.upper()):
        assert refused(asked(key), other) == "user_id"


def test_a_public_key_acts_for_the_user_its_token_names_and_for_no_other() -> None:
    key, token = public_key(), user_token_sign("ann", 60)
    for request in (
        asked(key, token=token),
        asked(key, query=f"user_token={token}"),
        asked(key, body={"user_token": token}),
    ):
        assert acting_user(request, "ann") == "ann"
        assert acting_user(request, None) == "ann"
        assert refused(request, "bob") == "user_id"


def test_a_token_may_come_with_the_question_it_is_for() -> None:
    assert acting_user(asked(public_key()), "ann", user_token_sign("ann", 60)) == "ann"
    assert acting_user(asked(secret_key()), None, user_token_sign("ann", 60)) is None


def test_a_bad_token_is_refused_even_where_none_was_needed() -> None:
    assert refused(asked(public_key(), token="forged"), visitor_id_issue()) == "user_token"
    with pytest.raises(Problem) as problem:
        acting_user(asked(public_key(), body={"user_token": 7}), None)
    assert problem.value.status_code == 400
