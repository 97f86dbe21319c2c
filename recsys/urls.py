"""Every address this deployment answers, but for health and metrics (`recsys.operators`)."""

from importlib.util import find_spec

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
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]
for prefix, module in [
    ("api/v1/", "apps.catalog.urls"),
    ("api/v1/", "apps.users.urls"),
    ("api/v1/", "apps.interactions.urls"),
    ("api/v1/", "apps.recommend.urls"),
    ("fragments/", "apps.recommend.urls_widgets"),
    ("shop/", "apps.storefront.urls"),
]:
    if find_spec(module):
        urlpatterns.append(path(prefix, include(module)))
