"""Items that came after the models were trained, made known to those that can be told."""

from collections.abc import Mapping

import numpy as np

from apps.catalog import selectors as catalog
from apps.recommend.engine.new_items import with_new_items
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Rows
from apps.recommend.live_catalog import LiveCatalog

AT_ONCE = 200  # items told in one round, the newest first: each costs about 2 ms


class Newcomers:
    """Tells models of new items, and remembers of which they were told: about some there is nothing to say."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, int, Rows]] = {}  # by model: version, epoch, rows

    def tell(self, models: Mapping[str, ServedModel], live: LiveCatalog) -> dict[str, ServedModel]:
        """`models`, told of items of `live` that they do not know; AT_ONCE at most, the others in later rounds.

        Costs a look at the row maps where there is nothing to tell, else four queries and 2 ms an item.
        """
        unknown = {name: self._unknown(served, live) for name, served in models.items() if _can_be_told(served)}
        rows = np.unique(np.concatenate([*unknown.values(), np.empty(0, np.int32)])).astype(np.int32)
        if not len(rows):
            return dict(models)
        newest = rows[-AT_ONCE:]
        columns = catalog.item_columns(live.ids[newest].tolist(), texts=True)
        texts = dict(zip(live.items.rows_of(columns.ids).tolist(), columns.texts or [], strict=True))
        result = with_new_items(models, live.items, texts)
        for name in unknown:
            version, epoch, before = self._told.get(name, ("", 0, newest[:0]))
            if (version, epoch) != (models[name].version, live.epoch):
                before = newest[:0]
            self._told[name] = (models[name].version, live.epoch, np.union1d(before, newest).astype(np.int32))
        return result

    def _unknown(self, served: ServedModel, live: LiveCatalog) -> Rows:
        """Rows that the model does not know and has not been told of."""
        rows = np.flatnonzero((served.to_model < 0) & live.living).astype(np.int32)
        version, epoch, told = self._told.get(served.name, ("", 0, rows[:0]))
        if (version, epoch) == (served.version, live.epoch) and len(told):
            rows = rows[~np.isin(rows, told)]
        return rows


def _can_be_told(served: ServedModel) -> bool:
    return hasattr(served.model, "combined")
