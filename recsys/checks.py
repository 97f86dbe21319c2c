"""What `manage.py check` (and `check --deploy`) says about the configuration, each with a hint."""

import re
import zoneinfo
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's own name

from recsys.env import environment

_LOCAL = {"localhost", "127.0.0.1", "[::1]"}


@register(Tags.compatibility)
def shop(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """The shop's time zone and currency exist."""
    found: list[CheckMessage] = []
    try:
        zoneinfo.ZoneInfo(settings.TIME_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        found.append(
            Error(
                f"SHOP_TIME_ZONE is {settings.TIME_ZONE!r}, which is no time zone.",
                hint="Use a name such as Europe/London.",
                id="recsys.E001",
            )
        )
    if not re.fullmatch("[A-Z]{3}", settings.SHOP_CURRENCY):
        found.append(
            Error(
                f"SHOP_CURRENCY is {settings.SHOP_CURRENCY!r}, which is no currency code.",
                hint="Use three capital letters, such as GBP.",
                id="recsys.E002",
            )
        )
    return found


@register(Tags.security, deploy=True)
def production(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Nothing that is convenient on a developer's machine is left on."""
    env = environment()
    server_database = not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    found: list[CheckMessage] = []
    if len(env.SECRET_KEY) < 50:
        found.append(
            Warning(
                "SECRET_KEY is not set." if not env.SECRET_KEY else "SECRET_KEY has fewer than 50 characters.",
                hint="Set the same one for every process: python -c 'import secrets; print(secrets.token_urlsafe(64))'",
                id="recsys.W001",
            )
        )
    if env.DEBUG:
        found.append(
            Warning("DEBUG is on: errors show code and settings to anyone.", hint="Unset DEBUG.", id="recsys.W002")
        )
    if not env.HTTPS:
        found.append(
            Warning(
                "HTTPS is off: keys and cookies travel in the clear.",
                hint="Put a proxy with a certificate in front, have it send X-Forwarded-Proto, and set HTTPS=true.",
                id="recsys.W003",
            )
        )
    if env.HTTPS and set(settings.ALLOWED_HOSTS) <= _LOCAL:
        found.append(
            Warning(
                "ALLOWED_HOSTS names only this machine.",
                hint="Set it to the host names the shop calls, separated by commas.",
                id="recsys.W004",
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Warning(
                "ALLOWED_HOSTS accepts any host name.",
                hint="Name the hosts: links in e-mails and redirects are built from them.",
                id="recsys.W005",
            )
        )
    if server_database and settings.CELERY_BROKER_URL.startswith("filesystem"):
        found.append(
            Warning(
                "Tasks go through files, which other machines cannot see.",
                hint="Set REDIS_URL or CELERY_BROKER_URL.",
                id="recsys.W006",
            )
        )
    return found
