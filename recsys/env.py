"""Every knob of the application, typed and described.

This module is the only reader of environment variables. Values come from the
process environment first and from a `.env` file in the working directory second.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class Environment(BaseSettings):
    """Environment variables, one field each; the field's name is the variable's name."""

    model_config = SettingsConfigDict(env_file=ROOT / ".env", extra="ignore", frozen=True, env_ignore_empty=True)

    SECRET_KEY: str = Field(
        default="",
        description="Signs sessions and entry tokens. Required when DEBUG is off; at least 50 characters.",
    )
    SECRET_KEY_FALLBACKS: str = Field(
        default="",
        description="Former values of SECRET_KEY, separated by commas: what they signed (entry tokens, visitor ids) "
        "stays valid.",
    )
    DEBUG: bool = Field(default=False, description="Show errors in detail. Never on in production.")
    ALLOWED_HOSTS: str = Field(
        default="localhost,127.0.0.1,[::1]", description="Host names served, separated by commas."
    )
    CSRF_TRUSTED_ORIGINS: str = Field(
        default="", description="Origins (with scheme) the admin is reached at, separated by commas."
    )
    HTTPS: bool = Field(
        default=False,
        description="The site is served over HTTPS: secure cookies, HSTS and redirects are switched on.",
    )
    VAR_DIR: Path = Field(
        default=ROOT / "var",
        description="Folder for everything the application writes: SQLite, models, broker, logs.",
    )
    DATABASE_URL: str = Field(
        default="",
        description="sqlite:///path or postgres://user:password@host:5432/name. Default: SQLite in VAR_DIR.",
    )
    REDIS_URL: str = Field(default="", description="Cache, e.g. redis://localhost:6379/0. Default: in-process cache.")
    REDIS_TIMEOUT_MS: int = Field(
        default=50,
        ge=1,
        description="Milliseconds that a request waits for Redis before it goes on without. Below REQUEST_BUDGET_MS.",
    )
    CELERY_BROKER_URL: str = Field(
        default="",
        description="redis://, amqp:// or empty. Empty: REDIS_URL if set, else files in VAR_DIR/broker.",
    )
    SHOP_TIME_ZONE: str = Field(default="UTC", description="The shop's time zone: schedules and daily figures use it.")
    SHOP_CURRENCY: str = Field(
        default="GBP", description="ISO 4217 code used where an item or event names no currency."
    )
    MODEL_UPDATE_INTERVAL: int = Field(
        default=3600,
        ge=60,
        description="Seconds between scheduled retrainings. Seeds the schedule; later edits are made in the admin.",
    )
    MIN_INTERACTIONS_FOR_CF: int = Field(
        default=10,
        ge=1,
        description="Collaborative models train only on at least this many distinct user-item pairs.",
    )
    DEFAULT_RECOMMENDATION_COUNT: int = Field(
        default=10, ge=1, le=200, description="Length of a list when neither request nor placement says."
    )
    MODEL_RETENTION: int = Field(
        default=5, ge=2, description="Versions kept on disk for each model, the active one included."
    )
    TRAINING_LEASE_SECONDS: int = Field(
        default=60,
        ge=2,
        description="A training run whose worker has been silent this long is taken over by another.",
    )
    TEXT_ENCODER: str = Field(
        default="minilm",
        description=(
            "Text encoder of the content model: 'minilm' (the bundled sentence-transformers model), 'tfidf', "
            "a sentence-transformers name or folder, or 'openai:<model>' for an OpenAI-compatible endpoint."
        ),
    )
    OPENAI_BASE_URL: str = Field(
        default="", description="Address of an OpenAI-compatible endpoint. Empty: the vendor's own."
    )
    OPENAI_API_KEY: str = Field(default="", description="Key for that endpoint.")
    PLUGINS_DIR: Path | None = Field(
        default=None,
        description="Folder with your own plug-ins: algorithms/, sources/, stages/, metrics/ and pipelines/.",
    )
    PUBLIC_KEY_MAY_PURCHASE: bool = Field(
        default=False, description="Accept purchase and refund events sent with a public (browser) key."
    )
    MAX_BODY_BYTES: int = Field(
        default=5_000_000, ge=10_000, description="Largest request body accepted; larger ones get 413."
    )
    RESULT_CACHE_SECONDS: int = Field(
        default=300, ge=0, description="How long computed candidates may be reused. 0: never."
    )
    PRECOMPUTED_USERS: int = Field(
        default=1_000,
        ge=0,
        description="For so many users, those seen last, slates are computed ahead every hour and kept in Redis.",
    )
    REQUEST_BUDGET_MS: int = Field(
        default=100,
        ge=1,
        description="Milliseconds one answer may take. Then no further source is asked, and fallbacks fill what is "
        "missing.",
    )
    SERVING_REFRESH_SECONDS: float = Field(
        default=0.5,
        ge=0,
        description="How often a web process looks for new models, rules and items. 0: at every request (tests).",
    )
    PROMETHEUS_MULTIPROC_DIR: Path | None = Field(
        default=None,
        description=(
            "Folder through which several web processes share the figures of /metrics; emptied by whoever starts "
            "them. Must be in the process environment: a line in .env does not reach prometheus_client."
        ),
    )
    PORT: int = Field(
        default=8000, ge=1, le=65535, description="Port of the demo shop, and the one docker-compose.yml publishes."
    )
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least severe log line that is written."
    )
    LOG_FORMAT: Literal["json", "console"] = Field(
        default="json", description="'json' for machines, 'console' for people."
    )


@lru_cache
def environment() -> Environment:
    """The environment, read once per process.

    Raises pydantic.ValidationError naming the variable when a value does not fit.
    """
    return Environment()
