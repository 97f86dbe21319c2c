"""Every address this deployment answers, but for health and metrics (`recsys.operators`)."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

handler400 = "recsys.error_pages.bad_request"
handler403 = "recsys.error_pages.forbidden"
handler404 = "recsys.error_pages.not_found"
handler500 = "recsys.error_pages.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="storefront:home")),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    # A page only: describing itself (OPTIONS) would need a template it does not have.
    path(
        "api/docs/",
        SpectacularSwaggerView.as_view(url_name="schema", http_method_names=["get", "head"]),
        name="docs",
    ),
    path("api/v1/", include("apps.catalog.urls")),
    path("api/v1/", include("apps.users.urls")),
    path("api/v1/", include("apps.interactions.urls")),
    path("api/v1/", include("apps.recommend.urls")),
    path("fragments/", include("apps.recommend.urls_widgets")),
    path("shop/", include("apps.storefront.urls")),
]
