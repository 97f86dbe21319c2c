"""Django settings, derived from `recsys.env` alone."""

import secrets
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from recsys.admin_menu import UNFOLD  # noqa: F401  (a setting)
from recsys.env import ROOT, environment
from recsys.logs import logging_config

ENV = environment()
VERSION = "0.1.0"

BASE_DIR = ROOT
VAR_DIR: Path = ENV.VAR_DIR.resolve()
VAR_DIR.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """The configured key, or one made on first start and kept in VAR_DIR.

    A generated key is only for the embedded default; with several machines each would make its own,
    so `check --deploy` (recsys.checks) asks for SECRET_KEY where DATABASE_URL points elsewhere.
    """
    if ENV.SECRET_KEY:
        return ENV.SECRET_KEY
    if ENV.DATABASE_URL and not ENV.DATABASE_URL.startswith("sqlite") and not ENV.DEBUG:
        raise ImproperlyConfigured("SECRET_KEY is required when DATABASE_URL names a server. Set it in .env.")
    path = VAR_DIR / "secret_key"
    if not path.exists():
        temporary = path.with_suffix(f".{secrets.token_hex(4)}")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_urlsafe(64))
        try:
            path.hardlink_to(temporary)  # atomic: of two processes starting at once, the first wins
        except FileExistsError:
            pass
        temporary.unlink()
    return path.read_text().strip()


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = [key.strip() for key in ENV.SECRET_KEY_FALLBACKS.split(",") if key.strip()]
DEBUG = ENV.DEBUG
ALLOWED_HOSTS = [host.strip() for host in ENV.ALLOWED_HOSTS.split(",") if host.strip()]
CSRF_TRUSTED_ORIGINS = [o.strip() for o in ENV.CSRF_TRUSTED_ORIGINS.split(",") if o.strip()]

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_prometheus",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "recsys",
    "apps.catalog",
    "apps.users",
    "apps.interactions",
    "apps.recommend",
    "apps.storefront",
]

MIDDLEWARE = [
    "recsys.hot_path.HotPathMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "recsys.logs.RequestLogMiddleware",
    "apps.users.cors.CorsMiddleware",
    "recsys.operators.OperatorMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "recsys.urls"
WSGI_APPLICATION = "recsys.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": dj_database_url.parse(
        ENV.DATABASE_URL or f"sqlite:///{VAR_DIR / 'recsys.sqlite3'}", conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # One writer at a time: taking the write lock at BEGIN turns a late SQLITE_BUSY into a wait.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;",
    }
    DATABASES["default"]["CONN_MAX_AGE"] = None  # opening the file anew for each request costs a millisecond
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:
    DATABASES["default"]["ENGINE"] = "recsys.postgresql"
    # A server that is gone is noticed within seconds, and found again within seconds: the pool would wait ever longer
    # between its attempts, for up to five minutes. What DATABASE_URL says goes first.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 2,
        "tcp_user_timeout": 10_000,
        "pool": {"min_size": 1, "max_size": 8, "timeout": 3, "reconnect_timeout": 2},
    } | DATABASES["default"].get("OPTIONS", {})

if ENV.REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": ENV.REDIS_URL,
            "KEY_PREFIX": "recsys",
            "OPTIONS": {
                "SOCKET_CONNECT_TIMEOUT": ENV.REDIS_TIMEOUT_MS / 1000,
                "SOCKET_TIMEOUT": ENV.REDIS_TIMEOUT_MS / 1000,
                "IGNORE_EXCEPTIONS": True,  # a cache may be gone at any time; recsys.circuit logs it
                "REDIS_CLIENT_CLASS": "recsys.redis_cache.Client",
                "CONNECTION_POOL_CLASS": "recsys.redis_cache.Pool",
            },
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 20_000},
        }
    }

LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = ENV.SHOP_TIME_ZONE
USE_TZ = True
USE_I18N = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # whitenoise warns where it is missing
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

DATA_UPLOAD_MAX_MEMORY_SIZE = ENV.MAX_BODY_BYTES
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = ENV.HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if ENV.HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ENV.HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.HTTPS else None

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.users.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.users.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.api.parsing.JsonBodyParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "apps.api.pagination.KeysetPagination",
    "EXCEPTION_HANDLER": "apps.api.problems.problem_response",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # there is but one format; "?format=" is a parameter like any other
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Recommendation engine",
    "DESCRIPTION": "Recommendations that learn from your catalog and events.",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.api.schema.describe_calls",
    ],
}

CELERY_BROKER_URL = ENV.CELERY_BROKER_URL or ENV.REDIS_URL or "filesystem://"
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "recsys.schedule:ShopScheduler"

MODEL_DIR = VAR_DIR / "models"
DEMO_PORT = ENV.PORT
SHOP_CURRENCY = ENV.SHOP_CURRENCY
MODEL_UPDATE_INTERVAL = ENV.MODEL_UPDATE_INTERVAL
MIN_INTERACTIONS_FOR_CF = ENV.MIN_INTERACTIONS_FOR_CF
DEFAULT_RECOMMENDATION_COUNT = ENV.DEFAULT_RECOMMENDATION_COUNT
MODEL_RETENTION = ENV.MODEL_RETENTION
TRAINING_LEASE_SECONDS = ENV.TRAINING_LEASE_SECONDS
TEXT_ENCODER = ENV.TEXT_ENCODER
OPENAI_BASE_URL = ENV.OPENAI_BASE_URL
OPENAI_API_KEY = ENV.OPENAI_API_KEY
PLUGINS_DIR = ENV.PLUGINS_DIR
PUBLIC_KEY_MAY_PURCHASE = ENV.PUBLIC_KEY_MAY_PURCHASE
MAX_BODY_BYTES = ENV.MAX_BODY_BYTES
RESULT_CACHE_SECONDS = ENV.RESULT_CACHE_SECONDS
PRECOMPUTED_USERS = ENV.PRECOMPUTED_USERS
REQUEST_BUDGET_MS = ENV.REQUEST_BUDGET_MS
REDIS_URL = ENV.REDIS_URL
SERVING_REFRESH_SECONDS = ENV.SERVING_REFRESH_SECONDS

PROMETHEUS_MULTIPROC_DIR = ENV.PROMETHEUS_MULTIPROC_DIR
if PROMETHEUS_MULTIPROC_DIR is not None:
    PROMETHEUS_MULTIPROC_DIR.mkdir(parents=True, exist_ok=True)

LOGGING_CONFIG = None
logging_config(level=ENV.LOG_LEVEL, style=ENV.LOG_FORMAT)
