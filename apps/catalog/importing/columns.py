"""Which column of a file is which field."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.catalog.importing.files import UnreadableFile
from apps.catalog.importing.rows import Row
from apps.catalog.importing.values import missing

_PLANS_KEPT = 1_000


class ColumnMap:
    """Picks the known fields out of rows.

    A column is a field when `--map field=Column` says so, or else when its name is the field's or one of the
    field's other names; letter case, spaces, hyphens and underscores do not matter.
    """

    def __init__(
        self,
        fields: Sequence[str],
        *,
        maps: Iterable[str] = (),
        constants: Iterable[str] = (),
        other_names: Mapping[str, str] | None = None,
        sparse: bool = False,
    ) -> None:
        """Raises UnreadableFile for a `--map` or `--set` that names no field, or one field twice.

        `constants`: `field=value` pairs; the value stands for every row whose own is missing.
        `sparse`: a row may lack columns that others have, so a mapped column that is missing is no mistake.
        """
        self.fields = tuple(fields)
        self.unmapped: dict[str, None] = {}
        """Columns seen that are no field, in order of appearance."""
        self._sparse = sparse
        self._mapped = self._parsed(maps, "--map", "Column")
        self._constants = self._parsed(constants, "--set", "value")
        self._plain = {_plain(field): field for field in fields}
        self._other = {_plain(name): field for name, field in (other_names or {}).items()}
        self._plans: dict[tuple[str, ...], dict[str, str]] = {}

    def pick(self, row: Row) -> dict[str, Any]:
        """The row's values by field. Raises UnreadableFile where a mapped column is not in the file."""
        values = row.values
        columns = tuple(values)
        plan = self._plans.get(columns)
        if plan is None:
            plan = self.plan(columns)
        picked = {field: values[column] for field, column in plan.items()}
        for field, value in self._constants.items():
            if missing(picked.get(field)):
                picked[field] = value
        return picked

    def plan(self, columns: tuple[str, ...]) -> dict[str, str]:
        """Which column to take each field from, among `columns`. Raises as `pick` does."""
        plan = {}
        for field, column in self._mapped.items():
            if column in columns:
                plan[field] = column
            elif not self._sparse:
                raise UnreadableFile(f"--map {field}={column}: no column {column!r}. Columns: {', '.join(columns)}.")
        for names in (self._plain, self._other):
            for column in columns:
                field_or_none = names.get(_plain(column))
                if field_or_none and field_or_none not in self._mapped:
                    plan.setdefault(field_or_none, column)
        used = set(plan.values())
        self.unmapped |= dict.fromkeys(column for column in columns if column not in used)
        if len(self._plans) < _PLANS_KEPT:
            self._plans[columns] = plan
        return plan

    def _parsed(self, pairs: Iterable[str], option: str, what: str) -> dict[str, str]:
        parsed: dict[str, str] = {}
        for pair in pairs:
            field, _, said = (part.strip() for part in pair.partition("="))
            if not field or not said:
                raise UnreadableFile(f"{option} {pair!r}: write {option} field={what}.")
            if field not in self.fields:
                raise UnreadableFile(f"{option} {pair!r}: no field {field!r}. Fields: {', '.join(self.fields)}.")
            if field in parsed:
                raise UnreadableFile(f"{option} names the field {field!r} twice.")
            parsed[field] = said
        return parsed


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")
