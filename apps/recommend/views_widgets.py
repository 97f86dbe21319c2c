"""Shelves over HTTP, for pages to load into themselves."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from apps.recommend.asking import Ask, NotFound, Refused
from apps.recommend.shelves import shelf
from apps.users.services import BadUserToken, user_token_verify, visitor_id_is_ours


@require_safe
def fragment(request: HttpRequest, placement: str) -> HttpResponse:
    """A shelf as HTML; empty where there is nothing to show.

    `user` must be a visitor id that we issued; a known user is named by `user_token` instead. Anybody else is
    answered as a new visitor would be, since a shelf never breaks its page. `item` may be repeated; `category` and
    `limit` (alias `count`) are those of the API. 404 names an unknown placement, item or category.
    """
    options = request.GET
    try:
        html = shelf(
            Ask(
                placement=placement,
                user=_user(options.get("user", ""), options.get("user_token", "")),
                items=tuple(options.getlist("item")[:100]),
                category=options.get("category") or None,
                limit=_limit(options.get("limit") or options.get("count", "")),
                explain=True,
            )
        )
    except NotFound as missing:
        return HttpResponse(missing.detail, status=404, content_type="text/plain; charset=utf-8")
    except Refused as refused:
        return HttpResponse(str(refused), status=400, content_type="text/plain; charset=utf-8")
    response = HttpResponse(html)
    response["Cache-Control"] = "private, no-store"
    return response


def _limit(said: str) -> int | None:
    try:
        return int(said) if said else None
    except ValueError:
        raise Refused("limit", "Must be a whole number.") from None


def _user(visitor: str, token: str) -> str | None:
    if token:
        try:
            return user_token_verify(token)
        except BadUserToken:
            return None
    return visitor if visitor_id_is_ours(visitor) else None
