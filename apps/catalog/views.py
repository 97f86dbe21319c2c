"""The catalog over HTTP."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.fields import external_id_in_path
from apps.api.problems import Problem, ProblemSerializer
from apps.api.values import FieldError, external_id
from apps.catalog import selectors, services
from apps.catalog import serializers as shapes
from apps.catalog.models import Category, Item

MAX_ENTRIES = 1000

_READ_ONLY = {"created_at", "updated_at"}
_ITEM_ID = OpenApiParameter("item_id", str, OpenApiParameter.PATH, description="Your own id of the item.")


class ItemView(APIView):
    """One item."""

    required_scopes = {
        "GET": "catalog:read",
        "PUT": "catalog:write",
        "PATCH": "catalog:write",
        "DELETE": "catalog:write",
    }

    @extend_schema(
        operation_id="item_get",
        tags=["catalog"],
        parameters=[_ITEM_ID],
        responses={200: shapes.ItemSerializer, 404: ProblemSerializer},
    )
    def get(self, request: Request, item_id: str) -> Response:
        """An item."""
        return Response(_shown(external_id_in_path(item_id, "item_id")))

    @extend_schema(
        operation_id="item_put",
        tags=["catalog"],
        parameters=[_ITEM_ID],
        request=shapes.ItemBodySerializer,
        responses={200: shapes.ItemSerializer, 201: shapes.ItemSerializer, 400: ProblemSerializer},
    )
    def put(self, request: Request, item_id: str) -> Response:
        """Create an item (201), or replace it whole (200). Doing so again changes nothing."""
        item_id = external_id_in_path(item_id, "item_id")
        try:
            [result] = services.items_upsert([services.parse_item(_body(request, item_id) | {"item_id": item_id})])
        except services.ItemRejected as rejected:
            raise _problem(rejected.errors) from None
        if result.errors:
            raise _problem(result.errors)
        return Response(_shown(item_id), status=201 if result.status == "created" else 200)

    @extend_schema(
        operation_id="item_patch",
        tags=["catalog"],
        parameters=[_ITEM_ID],
        request=shapes.ItemPatchSerializer,
        responses={200: shapes.ItemSerializer, 400: ProblemSerializer, 404: ProblemSerializer},
    )
    def patch(self, request: Request, item_id: str) -> Response:
        """Change the fields that are sent; null resets one to its default."""
        item_id = external_id_in_path(item_id, "item_id")
        try:
            services.item_patch(item_id, _body(request, item_id))
        except services.UnknownItem:
            raise _unknown(item_id) from None
        except services.ItemRejected as rejected:
            raise _problem(rejected.errors) from None
        return Response(_shown(item_id))

    @extend_schema(
        operation_id="item_delete",
        tags=["catalog"],
        parameters=[_ITEM_ID],
        request=None,
        responses={204: None, 404: ProblemSerializer},
    )
    def delete(self, request: Request, item_id: str) -> Response:
        """Delete an item: it is never recommended again. Its events stay, and it may be created anew."""
        item_id = external_id_in_path(item_id, "item_id")
        if not services.item_delete(item_id):
            raise _unknown(item_id)
        return Response(status=204)


class ItemsView(GenericAPIView[Item]):
    """All items."""

    required_scopes = {"GET": "catalog:read", "POST": "catalog:write"}
    serializer_class = shapes.ItemSerializer
    queryset = Item.objects.none()

    @extend_schema(operation_id="item_list", tags=["catalog"], responses=shapes.ItemSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Items, newest first, in pages."""
        page = self.paginate_queryset(selectors.items_listed().select_related("parent"))
        return self.get_paginated_response(shapes.ItemSerializer(selectors.facts_of(page or []), many=True).data)

    @extend_schema(
        operation_id="item_bulk_upsert",
        tags=["catalog"],
        request=shapes.ItemSerializer(many=True),
        responses={200: shapes.ItemResultsSerializer, 400: ProblemSerializer, 413: ProblemSerializer},
    )
    def post(self, request: Request) -> Response:
        """Create or replace up to 1,000 items. Every entry has its own result; good ones are stored."""
        entries = [request.data] if isinstance(request.data, Mapping) else request.data
        if not isinstance(entries, list):
            raise Problem(400, "Send a list of items.", field="items", code="invalid")
        if len(entries) > MAX_ENTRIES:
            raise Problem(413, f"At most {MAX_ENTRIES:,} items at once; these are {len(entries):,}.", field="items")
        return Response({"results": [_result(one) for one in _upserted(entries)]})


class CategoriesView(GenericAPIView[Category]):
    """All categories."""

    required_scopes = {"GET": "catalog:read"}
    serializer_class = shapes.CategorySerializer
    queryset = Category.objects.none()

    @extend_schema(operation_id="category_list", tags=["catalog"], responses=shapes.CategorySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Categories, newest first, in pages; `parent_id` says below which one each lies."""
        page = self.paginate_queryset(selectors.categories_listed())
        return self.get_paginated_response(shapes.CategorySerializer(page or [], many=True).data)


def _upserted(entries: list[Any]) -> list[services.Result]:
    results: dict[int, services.Result] = {}
    rows: dict[int, services.ItemInput] = {}
    for position, entry in enumerate(entries):
        try:
            rows[position] = services.parse_item(_writable(entry))
        except services.ItemRejected as rejected:
            results[position] = services.Result(_readable_id(entry), "rejected", rejected.errors)
    results |= zip(rows, services.items_upsert(list(rows.values())), strict=True)
    return [results[position] for position in range(len(entries))]


def _result(result: services.Result) -> dict[str, Any]:
    errors = [{"field": error.field, "detail": error.detail} for error in result.errors]
    return {"item_id": result.item_id or None, "status": result.status, "errors": errors}


def _readable_id(entry: Any) -> str:
    try:
        return external_id(entry.get("item_id") if isinstance(entry, Mapping) else None)
    except ValueError:
        return ""


def _body(request: Request, item_id: str) -> dict[str, Any]:
    """The fields sent. Raises a 400 problem when they are no object, or name another item than the address does."""
    if not isinstance(request.data, Mapping):
        raise Problem(400, "Send one item as a JSON object.", field="body", code="invalid")
    fields = dict(_writable(request.data))
    named = fields.pop("item_id", None)
    if named is not None and str(named) != item_id:
        raise Problem(400, "The body names another item than the address.", field="item_id", code="invalid")
    return fields


def _writable(entry: Any) -> Any:
    """What was read may be sent back: the fields that only we set are passed over."""
    if not isinstance(entry, Mapping):
        return entry
    return {name: value for name, value in entry.items() if name not in _READ_ONLY}


def _shown(item_id: str) -> dict[str, Any]:
    facts = selectors.item_facts(item_id)
    if facts is None:
        raise _unknown(item_id)
    return dict(shapes.ItemSerializer(facts).data)


def _unknown(item_id: str) -> Problem:
    return Problem(404, f"There is no item {item_id!r}.", field="item_id", code="unknown_item")


def _problem(errors: tuple[FieldError, ...]) -> Problem:
    return Problem(400, title="Invalid item", code="invalid", errors=errors)
