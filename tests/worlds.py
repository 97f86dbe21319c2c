"""Worlds whose right answers are known, because somebody planted them. The same every time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.types import DAY, EventWorth, Follows, Interactions, Items

VIEW, CART, PURCHASE, REFUND, DISLIKE, IMPRESSION = 1, 3, 5, 6, 9, 11
WORTH = {
    VIEW: EventWorth("view_item", True, 1.0, 30.0),
    CART: EventWorth("add_to_cart", True, 3.0, 60.0),
    PURCHASE: EventWorth("purchase", True, 5.0, 180.0),
    REFUND: EventWorth("refund", True, -5.0, 180.0),
    DISLIKE: EventWorth("dislike", True, -4.0, 365.0),
    IMPRESSION: EventWorth("render_item_list", False, 0.0, 1.0),
}
START = 1_700_000_000
DAYS = 60
NOW = START + DAYS * DAY

WORDS = (
    ("lantern", "candle", "wick", "glow", "flame"),
    ("teapot", "saucer", "kettle", "infuser", "cup"),
    ("trowel", "seedling", "planter", "compost", "watering"),
    ("fountain", "notebook", "ink", "paper", "binder"),
    ("saddle", "helmet", "pedal", "spoke", "chain"),
    ("violin", "tuner", "metronome", "score", "bow"),
)


@dataclass(frozen=True, eq=False)
class World:
    """Users of a group want items of the same group. Groups are by row."""

    interactions: Interactions
    items: Items
    user_groups: NDArray[np.int32]
    item_groups: NDArray[np.int32]  # by row of `interactions.item_ids`


def events(
    triples: Sequence[tuple[int, int, int]],
    *,
    times: Sequence[int] | None = None,
    sessions: Sequence[int] | None = None,
    n_users: int | None = None,
    n_items: int | None = None,
    as_of: int = NOW,
) -> Interactions:
    """Interactions of (user row, item row, event type) as given, at `as_of` unless `times` says otherwise."""
    users, items, types = (np.array([t[i] for t in triples], dtype=np.int32) for i in range(3))
    n_users = int(users.max(initial=-1)) + 1 if n_users is None else n_users
    n_items = int(items.max(initial=-1)) + 1 if n_items is None else n_items
    return Interactions(
        user_ids=user_ids(n_users),
        item_ids=item_ids(n_items),
        users=users,
        items=items,
        sessions=np.full(len(users), -1, np.int32) if sessions is None else np.array(sessions, np.int32),
        types=types.astype(np.int16),
        times=np.full(len(users), as_of, np.int64) if times is None else np.array(times, np.int64),
        quantities=np.ones(len(users), np.int32),
        values=np.full(len(users), np.nan, np.float32),
        worth=WORTH,
        as_of=as_of,
    )


def catalog(n_items: int, texts: Sequence[str] | None = None) -> Items:
    """`n_items` available items without categories, published before anything happened."""
    return Items(
        ids=item_ids(n_items),
        available=np.ones(n_items, dtype=bool),
        price=np.full(n_items, 9.99),
        published=np.full(n_items, START - DAY, dtype=np.int64),
        categories=sparse.csr_matrix((n_items, 0), dtype=np.float32),
        category_ids=np.empty(0, dtype=np.int64),
        parents=np.full(n_items, -1, dtype=np.int32),
        texts=texts,
    )


def user_ids(n: int) -> NDArray[np.int64]:
    return np.arange(n, dtype=np.int64) * 2 + 1_001


def item_ids(n: int) -> NDArray[np.int64]:
    """Ids with gaps: whoever takes an id for a row fails."""
    return np.arange(n, dtype=np.int64) * 3 + 7


def planted(
    *,
    groups: int = 4,
    users_per_group: int = 30,
    items_per_group: int = 20,
    visits: int = 4,
    events_per_visit: int = 4,
    noise: float = 0.1,
    seed: int = 7,
) -> World:
    """Groups of users who visit several times and want their group's items, all groups sharing the noise.

    Within a group some items are wanted more than others; a bought item was viewed before. Users and items are
    shuffled, so that no row number gives a group away. Texts speak of the group in its own words.
    """
    rng = np.random.default_rng(seed)
    n_users, n_items = groups * users_per_group, groups * items_per_group
    user_groups = rng.permutation(np.arange(n_users) % groups).astype(np.int32)
    item_groups = rng.permutation(np.arange(n_items) % groups).astype(np.int32)
    appeal = 1 / (1 + rng.permutation(n_items) % items_per_group)
    triples, times, sessions = [], [], []
    for user in range(n_users):
        mine = np.where(item_groups == user_groups[user], appeal, 0)
        wants = (1 - noise) * mine / mine.sum() + noise * appeal / appeal.sum()
        for visit in range(visits):
            time = START + int(rng.integers(DAYS * DAY - 3_600))
            for position, item in enumerate(rng.choice(n_items, size=events_per_visit, replace=False, p=wants)):
                bought = rng.random() < 0.3
                for kind in (VIEW, PURCHASE) if bought else (VIEW,):
                    triples.append((user, int(item), kind))
                    times.append(time + 60 * position + kind)
                    sessions.append(user * visits + visit)
    texts = [_text(rng, int(group)) for group in item_groups]
    interactions = events(triples, times=times, sessions=sessions, n_users=n_users, n_items=n_items)
    interactions = replace(interactions, follows=friends(user_groups, noise=noise, seed=seed))
    return World(interactions, catalog(n_items, texts), user_groups, item_groups)


def checkerboard(size: int) -> World:
    """User u wants every second item, those of u's own parity, and has them all but item u."""
    triples = [(u, i, PURCHASE) for u in range(size) for i in range(u % 2, size, 2) if i != u]
    parity = (np.arange(size) % 2).astype(np.int32)
    texts = [f"{('even', 'odd')[i % 2]} thing" for i in range(size)]
    return World(events(triples, n_users=size, n_items=size), catalog(size, texts), parity, parity)


def with_strangers(world: World, count: int) -> World:
    """The same world with `count` more catalog items that nobody has met, in the groups' words."""
    rng = np.random.default_rng(count)
    groups = np.arange(count) % (int(world.item_groups.max()) + 1)
    texts = [*(world.items.texts or []), *(_text(rng, int(group)) for group in groups)]
    return replace(world, items=catalog(len(texts), texts))


def _text(rng: np.random.Generator, group: int) -> str:
    words = rng.choice(WORDS[group % len(WORDS)], size=3, replace=False)
    return f"{words[0]} {words[1]}\nA thing with {words[2]} for the home, model {rng.integers(100)}"


def friends(user_groups: NDArray[np.int32], *, each: int = 5, noise: float = 0.1, seed: int = 7) -> Follows:
    """Every user follows up to `each` others since the start, all but the noise of them of their own group."""
    rng = np.random.default_rng([seed, each])
    ids = user_ids(len(user_groups))
    pairs = set()
    for user, group in enumerate(user_groups):
        mine = np.flatnonzero(user_groups == group)
        for _ in range(each):
            other = int(rng.integers(len(ids)) if rng.random() < noise else rng.choice(mine))
            if other != user:
                pairs.add((int(ids[user]), int(ids[other])))
    followers, followed = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
    return Follows(followers, followed, np.full(len(pairs), START, dtype=np.int64))


def with_friends(interactions: Interactions) -> Interactions:
    """The same events, of users who all follow each other."""
    groups = np.zeros(interactions.n_users, dtype=np.int32)
    return replace(interactions, follows=friends(groups, each=3 * len(groups), noise=0.0))


def bargains(
    *, shelves: int = 4, users: int = 240, items_per_shelf: int = 64, bought: int = 8, seed: int = 11
) -> World:
    """Every user buys from one shelf; half of them only what is cheap there, the others only what is dear there.

    Shelves differ in what is cheap: no price is cheap or dear by itself. A quarter of each shelf is cheap, and nothing
    is bought twice. Groups of users are shelf * 2 + (1 where they buy what is cheap); those of items likewise.
    """
    rng = np.random.default_rng(seed)
    n_items = shelves * items_per_shelf
    shelf = rng.permutation(np.arange(n_items) % shelves)
    place = np.empty(n_items, dtype=np.int64)
    for one in range(shelves):
        place[shelf == one] = rng.permutation(items_per_shelf)
    cheap = place < items_per_shelf // 4
    item_groups = (shelf * 2 + cheap).astype(np.int32)
    user_groups = rng.permutation(np.arange(users) % (2 * shelves)).astype(np.int32)
    triples, times = [], []
    for user in range(users):
        mine = np.flatnonzero(item_groups == user_groups[user])
        for item in rng.choice(mine, size=min(bought, len(mine)), replace=False):
            triples.append((user, int(item), PURCHASE))
            times.append(START + int(rng.integers(DAYS * DAY)))
    members = np.zeros((n_items, shelves), dtype=np.float32)
    members[np.arange(n_items), shelf] = 1
    price = 10.0 * 3.0**shelf * np.where(cheap, 0.5, 1.0) * rng.uniform(0.9, 1.1, n_items)
    items = replace(
        catalog(n_items),
        price=price,
        categories=sparse.csr_matrix(members),
        category_ids=np.arange(shelves, dtype=np.int64) + 1,
    )
    return World(events(triples, times=times, n_users=users, n_items=n_items), items, user_groups, item_groups)
