from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from apps.users import api_keys
from apps.users.api_keys import PUBLIC_SCOPES, SCOPES, key_facts, read_origin, refresh_keys
from apps.users.models import ApiKey
from apps.users.services import api_key_change, api_key_create, api_key_revoke
from tests.factories import client, public_key, secret_key

pytestmark = pytest.mark.django_db


def status(key: str, **headers: str) -> int:
    return int(client(key, **headers).get("/api/v1/users").status_code)


def test_only_a_hash_and_the_first_characters_of_a_key_are_stored() -> None:
    row, plain = api_key_create(name="server")
    stored = str(ApiKey.objects.values().get(pk=row.pk))
    assert plain.startswith("sk_")
    assert len(plain) >= 43
    assert plain[:10] in stored
    assert plain[10:] not in stored


def test_a_secret_key_has_the_scopes_it_was_given_and_all_when_none_were() -> None:
    assert key_facts(secret_key("users:read")).scopes == {"users:read"}  # type: ignore[union-attr]
    assert key_facts(secret_key()).scopes == set(SCOPES)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no scope 'root'"):
        secret_key("root")


def test_a_public_key_has_exactly_two_scopes_whatever_its_row_says() -> None:
    row, plain = api_key_create(name="browser", kind="public", scopes=["users:write"], allowed_origins=["*"])
    ApiKey.objects.filter(pk=row.pk).update(scopes=list(SCOPES))
    assert plain.startswith("pk_")
    assert key_facts(plain).scopes == PUBLIC_SCOPES == {"recommendations:read", "events:write"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic eDp5",
        "Bearer sk_unknown",
        "sk_x",
        "Bearer a b",
        "Bearer \u00e9",
        "Bearer " + "x" * 10_000,
    ],
)
def test_whatever_is_no_key_is_answered_with_401(header: str) -> None:
    response = APIClient(headers={"Authorization": header}).get("/api/v1/users")
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_or_expired_key_is_answered_with_401_at_once() -> None:
    row, plain = api_key_create(name="a")
    assert status(plain) == 200
    api_key_revoke(key_id=row.pk)
    assert status(plain) == 401
    assert status(api_key_create(name="b", expires_at=timezone.now() - timedelta(seconds=1))[1]) == 401


def test_a_key_revoked_by_another_process_is_refused_within_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    row, plain = api_key_create(name="a")
    assert status(plain) == 200
    ApiKey.objects.filter(pk=row.pk).update(revoked_at=timezone.now())
    later = api_keys.time.monotonic() + 5
    monkeypatch.setattr(api_keys.time, "monotonic", lambda: later)
    assert status(plain) == 401


def test_a_known_key_costs_no_query(django_assert_num_queries: Any) -> None:
    plain = secret_key()
    key_facts(plain)
    with django_assert_num_queries(0):
        key_facts(plain)


def refuse(*args: Any) -> None:
    raise OperationalError("the server closed the connection unexpectedly")


class TestWithoutAQuery:
    """What this process knows of keys, and when it asks."""

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
        now = api_keys.time.monotonic()

        def forward(seconds: float) -> None:
            nonlocal now
            now += seconds

        monkeypatch.setattr(api_keys.time, "monotonic", lambda: now)
        return forward

    def test_a_key_costs_none_as_long_as_somebody_follows_the_database(
        self, clock: Callable[[float], None], django_assert_num_queries: Any
    ) -> None:
        plain, asked = secret_key(), 0
        key_facts(plain)
        for _ in range(20):
            clock(0.5)
            with CaptureQueriesContext(connection) as queries:
                refresh_keys()
            asked += len(queries)
            with django_assert_num_queries(0):
                assert key_facts(plain) is not None
                api_keys.browser_origins()
        assert asked == 5, "every two seconds"

    def test_who_follows_the_database_sees_a_key_revoked_elsewhere(self, clock: Callable[[float], None]) -> None:
        row, plain = api_key_create(name="a")
        assert key_facts(plain).valid  # type: ignore[union-attr]
        ApiKey.objects.filter(pk=row.pk).update(revoked_at=timezone.now())
        clock(2)
        refresh_keys()
        assert not key_facts(plain).valid  # type: ignore[union-attr]

    def test_a_key_made_by_another_process_is_known_at_once(self) -> None:
        key_facts(secret_key())
        before = api_keys._keys
        _, plain = api_key_create(name="elsewhere")
        api_keys._keys = before
        assert key_facts(plain) is not None

    def test_what_nobody_has_is_asked_for_once(self, django_assert_num_queries: Any) -> None:
        key_facts(secret_key())
        with django_assert_num_queries(1):
            assert [key_facts("sk_garbage") for _ in range(10)] == [None] * 10

    def test_a_flood_of_garbage_costs_a_bounded_number(
        self, clock: Callable[[float], None], django_assert_num_queries: Any
    ) -> None:
        plain = secret_key()
        key_facts(plain)
        with django_assert_num_queries(api_keys.LOOKUPS_PER_SECOND):
            assert {key_facts(f"sk_{n}") for n in range(500)} == {None}
            assert key_facts(plain) is not None
        clock(0.5)
        with django_assert_num_queries(api_keys.LOOKUPS_PER_SECOND // 2):
            assert {key_facts(f"sk_again_{n}") for n in range(500)} == {None}

    def test_while_the_database_is_away_known_keys_keep_working(self, clock: Callable[[float], None]) -> None:
        plain = secret_key()
        key_facts(plain)
        tries: list[object] = []

        def count(*args: Any) -> None:
            tries.append(args)
            refuse()

        with connection.execute_wrapper(count):
            for _ in range(40):
                clock(0.5)
                assert key_facts(plain) is not None
            assert len(tries) <= 20, "not for each request"
            with pytest.raises(OperationalError):
                key_facts("sk_unknown")


class TestOrigins:
    def visitor(self, key: str, **headers: str) -> Any:
        return client(key, **headers).post("/api/v1/visitors")

    def test_a_public_key_works_only_from_its_origins(self) -> None:
        key = public_key("https://shop.example")
        assert self.visitor(key, Origin="https://shop.example").status_code == 201
        assert self.visitor(key).status_code == 201, "no browser page sent this"
        for other in ("https://evil.example", "http://shop.example", "https://shop.example:8443", "null"):
            assert self.visitor(key, Origin=other).status_code == 403
        assert self.visitor(public_key("*"), Origin="https://anywhere.example").status_code == 201

    def test_browsers_may_read_answers_only_from_origins_that_a_key_allows(self) -> None:
        key = public_key("https://shop.example")
        allowed = self.visitor(key, Origin="https://shop.example")
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "Origin" in allowed.headers["Vary"]
        refused = self.visitor(key, Origin="https://evil.example")
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert "Origin" in refused.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in allowed.headers

    def test_a_preflight_is_answered_without_a_key(self) -> None:
        public_key("https://shop.example")

        def preflight(origin: str) -> Any:
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            return APIClient(headers=headers).options("/api/v1/interactions")

        response = preflight("https://shop.example")
        assert response.status_code == 204
        assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Origin" not in preflight("https://evil.example").headers

    def test_an_error_can_be_read_by_the_page_too(self) -> None:
        public_key("https://shop.example")
        response = APIClient(headers={"Origin": "https://shop.example"}).get("/api/v1/users")
        assert response.status_code == 401
        assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"

    def test_a_revoked_keys_origins_are_forgotten(self) -> None:
        row, _ = api_key_create(name="a", kind="public", allowed_origins=["https://shop.example"])
        assert api_keys.browser_origins() == {"https://shop.example"}
        api_key_revoke(key_id=row.pk)
        assert api_keys.browser_origins() == set()

    def test_origins_can_be_changed(self) -> None:
        row, plain = api_key_create(name="a", kind="public", allowed_origins=["https://a.example"])
        api_key_change(key_id=row.pk, name="b", allowed_origins=["https://b.example/"])
        assert self.visitor(plain, Origin="https://b.example").status_code == 201
        assert self.visitor(plain, Origin="https://a.example").status_code == 403

    @pytest.mark.parametrize(
        ("text", "origin"),
        [
            ("https://Shop.Example/", "https://shop.example"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("https://shop.example:443", "https://shop.example"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            (" * ", "*"),
        ],
    )
    def test_an_origin_is_stored_as_browsers_send_it(self, text: str, origin: str) -> None:
        assert read_origin(text) == origin

    @pytest.mark.parametrize(
        "text", ["", "shop.example", "ftp://a.example", "https://a.example/path", "https://a:b", "https://"]
    )
    def test_what_is_no_origin_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not an origin"):
            read_origin(text)
