"""What ours is measured against: the same bytes from a bare view, the same body from DRF, implicit behind DRF.

Loaded only by the baselines' server processes, which find the files of the run in `VAR_DIR/baseline`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from django.apps import apps
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from scipy import sparse

from apps.recommend.benchmarks.serving.asking import LIMIT
from apps.users.authentication import ApiKeyAuthentication

_FOLDER = Path(settings.VAR_DIR) / "baseline"
_BYTES = (_FOLDER / "answer.json").read_bytes()
_BODY = json.loads(_BYTES)


def same_bytes(request: HttpRequest, user: int) -> HttpResponse:
    """A bare Django view: bytes that were ready before."""
    return HttpResponse(_BYTES, content_type="application/json")


class SameBody(APIView):
    """A bare DRF view: no authentication, no permissions; the body is rendered as DRF renders."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request, user: int) -> Response:
        return Response(_BODY)


class Implicit(APIView):
    """What one would write with DRF and implicit: a key, the trained factors in memory, the items by the ORM.

    It knows the users of its training only, applies no filter and no rule, signs no token.
    """

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request, user: int) -> Response:
        rows, scores = _MODEL.recommend(user, _WANTED[user], N=LIMIT)
        found = _ITEM.objects.in_bulk([int(row) + 1 for row in rows])
        return Response(
            {
                "user_id": f"u{user}",
                "recommendations": [
                    {
                        "item_id": item.external_id,
                        "position": position,
                        "score": float(score),
                        "item": {
                            "title": item.title,
                            "url": item.url,
                            "image_url": item.image_url,
                            "price": item.price,
                            "currency": item.currency,
                            "available": item.available,
                        },
                    }
                    for position, (row, score) in enumerate(zip(rows, scores, strict=True), 1)
                    if (item := found.get(int(row) + 1)) is not None
                ],
            }
        )


def _model() -> Any:
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=1, num_threads=1)
    model.item_factors = np.load(_FOLDER / "items.npy")
    model.user_factors = np.load(_FOLDER / "users.npy")
    return model


_ITEM = apps.get_model("catalog", "Item")
_MODEL = _model()
_WANTED: Any = sparse.load_npz(_FOLDER / "wanted.npz")

urlpatterns = [
    path("bytes/<int:user>", same_bytes),
    path("drf/<int:user>", SameBody.as_view()),
    path("implicit/<int:user>", Implicit.as_view()),
]
