"""The WSGI application of the baselines: our settings, their addresses, no middleware at all.

Ours runs with its middleware, so every ratio to these is on the low side.
"""

from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.ROOT_URLCONF = "apps.recommend.benchmarks.serving.baseline_views"
settings.MIDDLEWARE = []

application = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402  (after the settings)

_ = get_resolver().url_patterns  # loads the factors before the first request
