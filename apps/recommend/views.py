"""The REST doors: validate, ask, serialise."""

from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.api.fields import external_id_in_path
from apps.api.problems import Problem, ProblemSerializer
from apps.recommend import serializers as shapes
from apps.recommend.asking import Ask, NotFound, Recommendation, Refused
from apps.recommend.serve import recommend
from apps.users.acting import acting_user
from apps.users.selectors import KeyFacts

RELATIONS = {
    "similar": "item-page",
    "bought_together": "bought-together",
    "viewed_together": "viewed-together",
}
ANSWERS = {
    200: shapes.RecommendationSerializer,
    400: OpenApiResponse(ProblemSerializer, "The question is malformed; `errors` names the field."),
    404: OpenApiResponse(ProblemSerializer, "The placement, item or category does not exist."),
}


def options_of(sent: Iterable[tuple[str, str]], shape: type[shapes.OptionsSerializer]) -> dict[str, Any]:
    """The options in a query string's names and values. Raises ValidationError naming the wrong one."""
    data: dict[str, Any] = {}
    for name, value in sent:
        if name.startswith("context."):
            data.setdefault("context", {})[name.removeprefix("context.")] = value
        elif name == "exclude" and name in data:
            data[name] += f",{value}"
        else:
            data[name] = value
    serializer = shape(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _common(options: dict[str, Any]) -> dict[str, Any]:
    context = options.get("context", {})
    return {
        "limit": options.get("limit"),
        "exclude": options.get("exclude", frozenset()),
        "category": options.get("category", context.get("category")),
        "filter": options.get("filter"),
        "context": context,
        "after": options.get("after", ()),
        "explain": options["explain"],
        "trace": options["trace"],
        "why_not": options.get("why_not"),
        "properties": options.get("return_properties"),
    }


def _answered(request: Request, ask: Ask) -> Recommendation:
    key = request.auth
    if ask.trace and not (isinstance(key, KeyFacts) and "recommendations:trace" in key.scopes):
        raise Problem(403, "This API key has no scope recommendations:trace.", field="trace")
    try:
        return recommend(ask)
    except Refused as refused:
        status = 404 if isinstance(refused, NotFound) else 400
        raise Problem(status, refused.detail, field=refused.field) from None


def _response(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type="application/json")


class RecommendationView(APIView):
    """One question, asked with GET. `lean` asks the same questions without DRF around them."""

    required_scopes = {"GET": "recommendations:read"}
    name = ""
    shape: type[shapes.OptionsSerializer] = shapes.EverybodyOptions
    id_field = ""  # what the path names

    ask: Callable[..., Ask]
    """`ask(options, user, named)`: the question that these options put, for this user, about what the path names."""

    def answer(self, request: Request, named: str = "") -> HttpResponse:
        """What the view's methods do."""
        sent = [(name, value) for name, values in request.query_params.lists() for value in values]
        options = options_of(sent, self.shape)
        if self.id_field:
            named = external_id_in_path(named, self.id_field)
        user = named if self.id_field == "user_id" else options.get("user_id")
        acting = acting_user(request, user, options.get("user_token", ""))
        return _response(shapes.body(_answered(request, self.ask(options, acting, named))))


class ForUser(RecommendationView):
    name, shape, id_field = "recommendations_for_user", shapes.UserOptions, "user_id"

    @extend_schema(
        operation_id="recommendations_for_user",
        summary="For a user",
        parameters=[shapes.UserOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request, user_id: str) -> HttpResponse:
        """What this user is recommended. A user nobody knows gets what a new visitor gets."""
        return self.answer(request, user_id)

    @staticmethod
    def ask(options: dict[str, Any], user: str | None, named: str = "") -> Ask:
        return Ask(placement=options.get("placement", "home"), user=user or named, **_common(options))


class ForItem(RecommendationView):
    name, shape, id_field = "recommendations_for_item", shapes.ItemOptions, "item_id"

    @extend_schema(
        operation_id="recommendations_for_item",
        summary="For an item",
        parameters=[shapes.ItemOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request, item_id: str) -> HttpResponse:
        """What goes with an item: similar, bought together or viewed together."""
        return self.answer(request, item_id)

    @staticmethod
    def ask(options: dict[str, Any], user: str | None, named: str = "") -> Ask:
        return Ask(
            placement=options.get("placement", RELATIONS[options["relation"]]),
            items=(named,),
            user=user,
            min_relevance=options.get("min_relevance"),
            **_common(options),
        )


class Popular(RecommendationView):
    name, shape = "recommendations_popular", shapes.PopularOptions

    @extend_schema(
        operation_id="recommendations_popular",
        summary="Best sellers",
        parameters=[shapes.PopularOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request) -> HttpResponse:
        """What is wanted most, recent events counting more; with `window`, only events of that time."""
        return self.answer(request)

    @staticmethod
    def ask(options: dict[str, Any], user: str | None, named: str = "") -> Ask:
        pipeline = shapes.WINDOWS.get(options.get("window", ""))
        return Ask(placement="popular", user=user, pipeline=pipeline, **_common(options))


class Trending(RecommendationView):
    name = "recommendations_trending"

    @extend_schema(
        operation_id="recommendations_trending",
        summary="Trending",
        parameters=[shapes.EverybodyOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request) -> HttpResponse:
        """What is wanted most at the moment."""
        return self.answer(request)

    @staticmethod
    def ask(options: dict[str, Any], user: str | None, named: str = "") -> Ask:
        return Ask(placement="trending", user=user, **_common(options))


class New(RecommendationView):
    name = "recommendations_new"

    @extend_schema(
        operation_id="recommendations_new",
        summary="New arrivals",
        parameters=[shapes.EverybodyOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request) -> HttpResponse:
        """What came into the catalog last."""
        return self.answer(request)

    @staticmethod
    def ask(options: dict[str, Any], user: str | None, named: str = "") -> Ask:
        return Ask(placement="new", user=user, **_common(options))


class Search(RecommendationView):
    name, shape = "search", shapes.SearchOptions

    @extend_schema(
        operation_id="search",
        summary="Search",
        parameters=[shapes.SearchOptions],
        responses=ANSWERS,
        tags=["search"],
    )
    def get(self, request: Request) -> HttpResponse:
        """Items that match the words, and some that mean the same; with `user_id`, ordered to their taste."""
        return self.answer(request)

    @staticmethod
    def ask(options: dict[str, Any], user: str | None, named: str = "") -> Ask:
        return Ask(placement="search", text=options["q"], user=user, **_common(options))


class Recommendations(APIView):
    """One or many questions, asked with POST."""

    required_scopes = {"POST": "recommendations:read"}

    @extend_schema(
        operation_id="recommendations",
        summary="One or many placements",
        request=PolymorphicProxySerializer(
            "OneOrManyQuestions", [shapes.QuestionSerializer, shapes.TogetherSerializer], resource_type_field_name=None
        ),
        responses={
            **ANSWERS,
            200: PolymorphicProxySerializer(
                "OneOrManyAnswers",
                [shapes.RecommendationSerializer, shapes.ResultsSerializer],
                resource_type_field_name=None,
            ),
        },
        tags=["recommendations"],
    )
    def post(self, request: Request) -> HttpResponse:
        """One question gets one answer; a list, or `{"requests": […]}`, gets `{"results": […]}`."""
        body = request.data
        if isinstance(body, list):
            body = {"requests": body}
        if not isinstance(body, dict):
            raise Problem(400, "Must be an object or a list of objects.", field="body")
        if "requests" not in body:
            one = shapes.QuestionSerializer(data=body)
            one.is_valid(raise_exception=True)
            return _response(shapes.body(_of_many(request, one.validated_data)))
        together = shapes.TogetherSerializer(data=body)
        together.is_valid(raise_exception=True)
        results: list[Recommendation] = []
        shown: frozenset[str] = frozenset()
        for number, question in enumerate(together.validated_data["requests"]):
            results.append(_of_many(request, question, shown, f"requests[{number}]."))
            if together.validated_data["distinct"]:
                shown |= {entry.item_id for entry in results[-1].listed.entries}
        return _response(shapes.bodies(results))


def _of_many(
    request: Request, question: dict[str, Any], shown: frozenset[str] = frozenset(), path: str = ""
) -> Recommendation:
    """One answer, without the items `shown` already. A problem names the fields as they were sent, below `path`."""
    common = _common(question)
    common["exclude"] |= shown
    sent_as = {"item_id": "item_ids", "category": "category" if "category" in question else "context.category"}
    try:
        ask = Ask(
            placement=question["placement"],
            user=acting_user(request, question.get("user_id"), question.get("user_token", "")),
            items=tuple(question.get("item_ids", ())),
            text=common["context"].get("query", ""),
            **common,
        )
        return _answered(request, ask)
    except Problem as problem:
        field = path + sent_as.get(problem.field or "", problem.field or "")
        raise Problem(problem.status_code, str(problem.detail), field=field, code=problem.code) from None
