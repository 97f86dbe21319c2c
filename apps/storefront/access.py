"""Who may enter the demo: an administrator and two API keys, made once and noted in `var/demo.json`."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model

from apps.storefront.selectors import shop_facts
from apps.storefront.services import public_key_keep
from apps.users.selectors import key_facts
from apps.users.services import api_key_create

ADMIN = "admin"


@dataclass(frozen=True)
class Access:
    """What `var/demo.json` says."""

    shop_url: str
    admin_url: str
    docs_url: str
    admin_user: str
    admin_password: str
    secret_key: str
    public_key: str


def access_prepare(path: Path, *, port: int) -> Access:
    """Make what is missing, keep what still works, and note all of it in `path`, readable by its owner only."""
    noted = _read(path)
    base = f"http://localhost:{port}"
    origins = [base, f"http://127.0.0.1:{port}"]
    access = Access(
        shop_url=f"{base}/shop/",
        admin_url=f"{base}/admin/",
        docs_url=f"{base}/api/docs/",
        admin_user=ADMIN,
        admin_password=_admin_password(str(noted.get("admin_password", ""))),
        secret_key=_secret_key(str(noted.get("secret_key", ""))),
        public_key=_public_key(str(noted.get("public_key", "")), origins),
    )
    _write(path, access)
    shop = shop_facts()
    if shop and shop.public_key != access.public_key:
        public_key_keep(access.public_key)
    return access


def _admin_password(noted: str) -> str:
    """The noted password, also where somebody changed it since: it is theirs then. A new one where none is noted."""
    users = get_user_model().objects
    admin = users.filter(username=ADMIN).first()
    if admin is not None and noted:
        return noted
    password = secrets.token_urlsafe(9)
    if admin is None:
        users.create_superuser(username=ADMIN, email="", password=password)
    else:
        admin.set_password(password)
        admin.save(update_fields=["password"])
    return password


def _secret_key(noted: str) -> str:
    known = key_facts(noted) if noted else None
    if known is not None and known.valid and not known.public:
        return noted
    return api_key_create(name="Demo, secret")[1]


def _public_key(noted: str, origins: list[str]) -> str:
    known = key_facts(noted) if noted else None
    if known is not None and known.valid and known.public and all(known.allows_origin(one) for one in origins):
        return noted
    return api_key_create(name="Demo shop's pages", kind="public", allowed_origins=origins)[1]


def _read(path: Path) -> dict[str, Any]:
    try:
        noted = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _write(path: Path, access: Access) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(access), file, indent=2)
        file.write("\n")
    temporary.replace(path)
