"""The requests of the loads, and what a right answer to them looks like."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from apps.recommend.benchmarks.serving.merchandising import FILTER
from apps.recommend.benchmarks.serving.world import Histories, World, popular_items

LIMIT = 10


@dataclass(frozen=True)
class Asking:
    """How requests are written."""

    host: str
    key: str

    def home(self, user: int) -> str:
        """The path of the home page's slate for a user, with the request's filter."""
        return self._path(f"/api/v1/recommendations/user/u{user}", filtered=True)

    def item_page(self, item: int, user: int) -> str:
        """The path of what goes with an item, for a user."""
        return self._path(f"/api/v1/recommendations/item/i{item}", f"user_id=u{user}")

    def _path(self, path: str, *more: str, filtered: bool = False) -> str:
        said = [f"limit={LIMIT}", *more, *([f"filter={quote(FILTER, safe='')}"] if filtered else [])]
        return f"{path}?{'&'.join(said)}"

    def get(self, path: str) -> str:
        """The whole request, as it goes over the wire."""
        return f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.key}\r\n\r\n"

    def view(self, user: int, item: int) -> str:
        """The whole request that tells of a view of an item."""
        body = json.dumps(event(user, item))
        return (
            f"POST /api/v1/interactions HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )


def rows_of(body: bytes) -> list[int]:
    """The items of an answer."""
    return [int(entry["item_id"].removeprefix("i")) for entry in json.loads(body)["recommendations"]]


def event(user: int, item: int) -> dict[str, str]:
    """A view, as the API takes it."""
    return {"interaction_type": "view_item", "user_id": f"u{user}", "item_id": f"i{item}"}


def next_views(world: World, histories: Histories, users: int, seed: int = 4) -> NDArray[np.int64]:
    """The item each user looks at next: of a cluster that they know, popular ones more often."""
    first = np.searchsorted(histories.users, np.arange(users))
    known = world.clusters[histories.items[first]]
    return popular_items(world, known, np.random.default_rng(seed))


def faults(status: int, body: bytes) -> list[str]:
    """What is wrong with an answer; nothing: it is complete."""
    if status != 200:
        return [f"status {status}: {body[:300].decode(errors='replace')}"]
    entries: Sequence[dict[str, Any]] = json.loads(body)["recommendations"]
    found = [] if len(entries) == LIMIT else [f"{len(entries)} entries, not {LIMIT}"]
    if len({entry["item_id"] for entry in entries}) != len(entries):
        found.append("an item twice")
    for entry in entries:
        card = entry.get("item", {})
        missing = [name for name in ("token", "source", "score", "position") if entry.get(name) in {None, ""}]
        missing += [name for name in ("title", "url", "image_url", "price", "currency") if not card.get(name)]
        if missing or not card["available"]:
            found.append(f"entry {entry.get('item_id')} lacks {', '.join(missing) or 'availability'}")
    return found
