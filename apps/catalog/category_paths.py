"""Category paths such as ("Kitchen", "Mugs") and the tree they name."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from apps.catalog.item_input import CategoryPath
from apps.catalog.models import Category

JOIN = " > "


@dataclass(frozen=True)
class CategoryNode:
    """A category as a row of the tree."""

    id: int
    external_id: str
    name: str
    parent_id: int | None


class CategoryTree:
    """All categories, indexed. Reading it is one query; a shop has thousands of categories, not millions."""

    def __init__(self) -> None:
        rows = Category.objects.order_by("id").values_list("id", "external_id", "name", "parent_id")
        self.nodes = {row[0]: CategoryNode(*row) for row in rows}
        self._by_external_id = {node.external_id: node for node in self.nodes.values()}
        self._by_name: dict[tuple[int | None, str], CategoryNode] = {}
        for node in self.nodes.values():
            self._by_name.setdefault((node.parent_id, node.name.casefold()), node)

    def ancestry(self, category_id: int) -> list[CategoryNode]:
        """The category and everything above it, from the root down."""
        path: list[CategoryNode] = []
        node = self.nodes.get(category_id)
        while node is not None and node not in path:
            path.append(node)
            node = self.nodes.get(node.parent_id) if node.parent_id is not None else None
        return path[::-1]

    def called(self, text: str) -> CategoryNode | None:
        """The category with this id, else the one with this name in any case; of several the topmost, the oldest."""
        by_id = self._by_external_id.get(text)
        if by_id is not None:
            return by_id
        named = (node for (_, name), node in self._by_name.items() if name == text.casefold())
        return min(named, key=lambda node: (node.parent_id or 0, node.id), default=None)

    def subtree(self, category_id: int) -> set[int]:
        """Ids of the category and of everything below it."""
        below = {category_id}
        while True:
            more = below | {node.id for node in self.nodes.values() if node.parent_id in below}
            if len(more) == len(below):
                return below
            below = more

    def height(self, category_id: int) -> int:
        """Levels of the tree from the category down, itself included."""
        return max(len(self.ancestry(one)) for one in self.subtree(category_id)) - len(self.ancestry(category_id)) + 1

    def in_order(self) -> list[tuple[int, CategoryNode]]:
        """Every category with its depth, each above what lies below it, siblings by name."""
        children: dict[int | None, list[CategoryNode]] = {}
        for node in sorted(self.nodes.values(), key=lambda node: (node.name.casefold(), node.id), reverse=True):
            children.setdefault(node.parent_id, []).append(node)
        ordered: list[tuple[int, CategoryNode]] = []
        waiting = [(0, root) for root in children.get(None, [])]
        while waiting:
            depth, node = waiting.pop()
            ordered.append((depth, node))
            waiting.extend((depth + 1, child) for child in children.get(node.id, []))
        return ordered

    def path_names(self, category_id: int) -> str | list[str]:
        """`Kitchen > Mugs`; as a list of names where a name itself contains the separator."""
        names = [node.name for node in self.ancestry(category_id)]
        return names if any(">" in name for name in names) else JOIN.join(names)

    def find(self, path: CategoryPath) -> CategoryNode | None:
        """The category at `path`. Its first part may be the id of a category at any depth; ids win over names."""
        node: CategoryNode | None = None
        for depth, part in enumerate(path):
            node = self._step(node, part, path[: depth + 1])
            if node is None:
                return None
        return node

    def _step(self, above: CategoryNode | None, part: str, path: CategoryPath) -> CategoryNode | None:
        above_id = above.id if above else None
        by_id = self._by_external_id.get(part)
        if by_id is not None and (above is None or by_id.parent_id == above_id):
            return by_id
        return self._by_name.get((above_id, part.casefold())) or self._by_external_id.get(made_up_id(path))


def made_up_id(path: CategoryPath) -> str:
    """The external id of a category that was created from its path, the same whoever creates it."""
    joined = JOIN.join(path)
    if len(joined) <= 255:
        return joined
    return f"{joined[:230]}…{hashlib.blake2b(joined.encode(), digest_size=8).hexdigest()}"


def category_ids_for(paths: Collection[CategoryPath]) -> dict[CategoryPath, int]:
    """The category id of each path, creating what is missing. Call it in a transaction.

    One query when nothing is missing, else two more for each level that is. Two callers creating the same path
    at once end with the same rows.
    """
    tree = CategoryTree()
    found = {path: tree.find(path) for path in paths}
    for level in _levels([path for path, node in found.items() if node is None]):
        missing = []
        for path in level:
            above = tree.find(path[:-1]) if len(path) > 1 else None
            if tree.find(path) is None:
                missing.append(
                    Category(external_id=made_up_id(path), name=path[-1], parent_id=above.id if above else None)
                )
        if missing:
            Category.objects.bulk_create(missing, ignore_conflicts=True)
            tree = CategoryTree()
    ids = {}
    for path, node in found.items():
        node = node or tree.find(path)
        if node is None:
            raise LookupError(f"category {JOIN.join(path)!r} vanished while it was being created")
        ids[path] = node.id
    return ids


def _levels(paths: Collection[CategoryPath]) -> Iterator[list[CategoryPath]]:
    """The paths and all paths above them, shortest first; two spellings of one name count once."""
    for length in range(1, max(map(len, paths), default=0) + 1):
        level = {tuple(part.casefold() for part in path[:length]): path[:length] for path in paths}
        yield [path for key, path in sorted(level.items()) if len(path) == length]
