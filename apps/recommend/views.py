"""The REST doors: validate, ask, serialise."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.fields import external_id_in_path
from apps.api.problems import Problem, ProblemSerializer
from apps.recommend import serializers as shapes
from apps.recommend.asking import Ask, NotFound, Refused
from apps.recommend.serve import recommend
from apps.users.acting import acting_user

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


def _options(request: Request, shape: type[shapes.OptionsSerializer]) -> dict[str, Any]:
    data: dict[str, Any] = {name: request.query_params[name] for name in request.query_params}
    if len(repeated := request.query_params.getlist("exclude")) > 1:
        data["exclude"] = ",".join(repeated)
    serializer = shape(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _answer(ask: Ask) -> dict[str, Any]:
    try:
        return shapes.answer(recommend(ask))
    except Refused as refused:
        status = 404 if isinstance(refused, NotFound) else 400
        raise Problem(status, refused.detail, field=refused.field) from None


def _common(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "limit": options.get("limit"),
        "exclude": options.get("exclude", frozenset()),
        "category": options.get("category"),
        "explain": options["explain"],
    }


class RecommendationView(APIView):
    """One question, asked with GET."""

    required_scopes = {"GET": "recommendations:read"}


class ForUser(RecommendationView):
    @extend_schema(
        operation_id="recommendations_for_user",
        summary="For a user",
        parameters=[shapes.UserOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request, user_id: str) -> Response:
        """What this user is recommended. A user nobody knows gets what a new visitor gets."""
        options = _options(request, shapes.UserOptions)
        user = acting_user(request, external_id_in_path(user_id, "user_id"))
        return Response(_answer(Ask(placement=options.get("placement", "home"), user=user, **_common(options))))


class ForItem(RecommendationView):
    @extend_schema(
        operation_id="recommendations_for_item",
        summary="For an item",
        parameters=[shapes.ItemOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request, item_id: str) -> Response:
        """What goes with an item: similar, bought together or viewed together."""
        options = _options(request, shapes.ItemOptions)
        ask = Ask(
            placement=options.get("placement", RELATIONS[options["relation"]]),
            items=(external_id_in_path(item_id, "item_id"),),
            user=_user(request, options),
            min_relevance=options.get("min_relevance"),
            **_common(options),
        )
        return Response(_answer(ask))


class Popular(RecommendationView):
    @extend_schema(
        operation_id="recommendations_popular",
        summary="Best sellers",
        parameters=[shapes.PopularOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request) -> Response:
        """What is wanted most, recent events counting more; with `window`, only events of that time."""
        options = _options(request, shapes.PopularOptions)
        ask = Ask(
            placement="popular",
            user=_user(request, options),
            pipeline=shapes.WINDOWS.get(options.get("window", "")),
            **_common(options),
        )
        return Response(_answer(ask))


class Everybody(RecommendationView):
    """A list that is the same for everybody, at a placement of its own."""

    placement = ""

    def get(self, request: Request) -> Response:
        options = _options(request, shapes.EverybodyOptions)
        return Response(_answer(Ask(placement=self.placement, user=_user(request, options), **_common(options))))


class Trending(Everybody):
    placement = "trending"

    @extend_schema(
        operation_id="recommendations_trending",
        summary="Trending",
        parameters=[shapes.EverybodyOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request) -> Response:
        """What is wanted most at the moment."""
        return super().get(request)


class New(Everybody):
    placement = "new"

    @extend_schema(
        operation_id="recommendations_new",
        summary="New arrivals",
        parameters=[shapes.EverybodyOptions],
        responses=ANSWERS,
        tags=["recommendations"],
    )
    def get(self, request: Request) -> Response:
        """What came into the catalog last."""
        return super().get(request)


class Search(RecommendationView):
    @extend_schema(
        operation_id="search",
        summary="Search",
        parameters=[shapes.SearchOptions],
        responses=ANSWERS,
        tags=["search"],
    )
    def get(self, request: Request) -> Response:
        """Items that match the words, and some that mean the same; with `user_id`, ordered to their taste."""
        options = _options(request, shapes.SearchOptions)
        ask = Ask(placement="search", text=options["q"], user=_user(request, options), **_common(options))
        return Response(_answer(ask))


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
    def post(self, request: Request) -> Response:
        """One question gets one answer; a list, or `{"requests": […]}`, gets `{"results": […]}`."""
        body = request.data
        if isinstance(body, list):
            body = {"requests": body}
        if not isinstance(body, dict):
            raise Problem(400, "Must be an object or a list of objects.", field="body")
        if "requests" not in body:
            one = shapes.QuestionSerializer(data=body)
            one.is_valid(raise_exception=True)
            return Response(_answered(request, one.validated_data))
        together = shapes.TogetherSerializer(data=body)
        together.is_valid(raise_exception=True)
        results: list[dict[str, Any]] = []
        shown: frozenset[str] = frozenset()
        for number, question in enumerate(together.validated_data["requests"]):
            results.append(_answered(request, question, shown, f"requests[{number}]."))
            if together.validated_data["distinct"]:
                shown |= {entry["item_id"] for entry in results[-1]["recommendations"]}
        return Response({"results": results})


def _answered(
    request: Request, question: dict[str, Any], shown: frozenset[str] = frozenset(), path: str = ""
) -> dict[str, Any]:
    """One answer, without the items `shown` already. A problem names the fields as they were sent, below `path`."""
    context = question.get("context", {})
    common = _common(question)
    common["category"] = common["category"] or context.get("category")
    common["exclude"] |= shown
    sent_as = {"item_id": "item_ids", "category": "category" if "category" in question else "context.category"}
    try:
        ask = Ask(
            placement=question["placement"],
            user=_user(request, question),
            items=tuple(question.get("item_ids", ())),
            text=context.get("query", ""),
            **common,
        )
        return _answer(ask)
    except Problem as problem:
        field = path + sent_as.get(problem.field or "", problem.field or "")
        raise Problem(problem.status_code, str(problem.detail), field=field, code=problem.code) from None


def _user(request: Request, options: dict[str, Any]) -> str | None:
    return acting_user(request, options.get("user_id"), options.get("user_token", ""))
