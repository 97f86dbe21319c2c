"""A year (or two) of a British web shop's invoices: UCI Online Retail and Online Retail II."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tqdm import tqdm

from apps.catalog.importing.columns import ColumnMap
from apps.catalog.importing.files import ByteFile, UnreadableFile
from apps.catalog.importing.item_rows import item_entry
from apps.catalog.importing.rows import Row, Table
from apps.catalog.importing.storing import Entry
from apps.catalog.importing.tables import open_table
from apps.catalog.importing.text_tables import CsvTable
from apps.catalog.importing.values import BadValue, text
from apps.catalog.item_input import ItemInput
from apps.interactions.datasets.registry import DATASETS, EventPart, ItemPart, need_file
from apps.interactions.importing.event_rows import EventDraft
from apps.plugins import ComponentConfig

LONDON = ZoneInfo("Europe/London")
_FIELDS = ("invoice", "code", "description", "quantity", "time", "price", "customer")
_HEADERS = {
    "InvoiceNo": "invoice",
    "StockCode": "code",
    "InvoiceDate": "time",
    "UnitPrice": "price",
    "CustomerID": "customer",
}
_FILES = (
    "online_retail.csv",
    "online_retail_ii.csv",
    "online retail.csv",
    "data.csv",
    "online_retail.xlsx",
    "online_retail_ii.xlsx",
    "online retail.xlsx",
)
_NEXT_DAY_CARRIAGE = "23444"
_NOT_PRODUCTS = frozenset(
    ["POST", "DOT", "M", "D", "S", "B", "C2", "C3", "PADS", "CRUK", "AMAZONFEE", "BANK CHARGES", "GIFT"]
).union([_NEXT_DAY_CARRIAGE])
_NOT_PRODUCT_FAMILIES = re.compile(r"GIFT_|TEST|ADJUST")
_REMEMBERED = 1 << 16
_NOTE = re.compile(
    r"\b(damage[sd]?|wrong(ly)?|found|check(ed)?|lost|missing|mia|smashed|broken|crushed|cracked|faulty|rust(y|ed)|wet|"
    r"mouldy|unsaleable|throw[n]?|adjust(ment)?|counted|returned|samples?|amazon|ebay|dotcom|fba|barcode|mix(ed)?|"
    r"sold|mailout|test|credit(ed)?|incorrect(ly)?|display|given|manual|stock|code[d]?|rcvd|reverse|image)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Line:
    """One row of the file, understood: a sale or a cancellation."""

    code: str
    invoice: str
    description: str
    quantity: int
    time: datetime
    price: float
    customer: str

    @property
    def cancelled(self) -> bool:
        return self.invoice.startswith("C")


@dataclass(slots=True)
class _Product:
    first: datetime
    priced_at: datetime
    price: float | None = None
    descriptions: Counter[str] = field(default_factory=Counter)

    def title(self) -> str:
        """The most frequent description that is a name rather than a note; of equals the first by alphabet."""
        names = [(-count, name) for name, count in self.descriptions.items() if is_title(name)]
        return min(names)[1] if names else ""


class _Invoices:
    """The rows of the file, understood or refused, between the two parts. About 150 bytes a row."""

    sparse = False

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name = table.name
        self.lines: list[tuple[int, _Line | str, str]] = []

    def check(self) -> None:
        self.table.check()

    def rows(self, *, label: str = "") -> Iterator[Row]:
        return self.table.rows(label=label)

    def raw(self, row: Row) -> str:
        """The row's text where it was refused at reading; else what was understood of it."""
        if "" not in row.values:
            return self.table.raw(row)
        return str(row.values[""])


@DATASETS.register("online-retail")
class OnlineRetail:
    """PATH is the file or its folder: CSV, also gzipped, or the published Excel workbook.

    - A row is one purchase event of its item, at the invoice's time (Europe/London), with the unit price as value;
      of an invoice that starts with C, a refund event. Every event's session is its invoice.
    - A row without a customer belongs to an anonymous user, who stands for the invoice. Customer 17850.0 is 17850.
    - Stock codes that differ in letter case only are one product. Codes that are no products (postage, fees, gift
      vouchers, manual entries, …) are refused by name.
    - Negative quantities without a cancellation, and rows with neither price nor customer, are adjustments of the
      stock and refused. A free row of a known customer (price 0) is kept: the shop did send that item.
    - An item has the most frequent sensible description as title (notes such as "damaged" or "?" are none, and
      without any it is the stock code), the latest positive price of a sale, and is published on its first day.
    """

    class Config(ComponentConfig):
        pass

    def __init__(self, config: Config) -> None:
        self._month_first = True
        self._cells: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*_FIELDS)

    def parts(self, path: Path) -> list[ItemPart | EventPart]:
        file = path if path.is_file() else need_file(path, *_FILES)
        table: Table
        if file.name.lower().removesuffix(".gz").endswith(".csv"):
            table = CsvTable(ByteFile(str(file)), second_encoding="latin-1")  # one republished copy is Latin-1
            table.check()
        else:
            table = open_table(str(file))
        self._inspect(table)
        invoices = _Invoices(table)
        return [
            ItemPart("items", invoices, lambda: self._items(invoices)),
            EventPart("events", invoices, lambda: self._events(invoices)),
        ]

    def _inspect(self, table: Table) -> None:
        """Check the header, and find out whether times such as 13/12/2010 8:26 put the day before the month."""
        columns: dict[str, str] = {}
        for row in table.rows(label="header"):
            if row.problem:
                continue
            if not columns:
                columns = ColumnMap(_FIELDS, other_names=_HEADERS).plan(tuple(row.values))
                if absent := [name for name in _FIELDS if name not in columns]:
                    raise UnreadableFile(f"{table.name} has no column for: {', '.join(absent)}.")
                self._cells = itemgetter(*(columns[name] for name in _FIELDS))
            first, *rest = text(row.values[columns["time"]]).split("/")
            if not rest:
                return
            if any(number.isdigit() and int(number) > 12 for number in (first, rest[0])):
                self._month_first = int(first) <= 12
                return

    def _items(self, invoices: _Invoices) -> Iterator[Entry[ItemInput]]:
        products: dict[str, _Product] = {}
        for row in invoices.table.rows(label="invoices"):
            try:
                line = self._line(row)
            except BadValue as error:
                invoices.lines.append((row.line, invoices.table.raw(row), str(error)))
                continue
            invoices.lines.append((row.line, line, ""))
            product = products.get(line.code)
            if product is None:
                product = products[line.code] = _Product(first=line.time, priced_at=line.time)
            product.descriptions[line.description] += 1
            if line.time < product.first:
                product.first = line.time
            if line.price > 0 and not line.cancelled and (product.price is None or line.time >= product.priced_at):
                product.price, product.priced_at = line.price, line.time
        for number, (code, product) in enumerate(products.items(), 1):
            yield item_entry(
                number,
                {
                    "item_id": code,
                    "title": product.title() or code,
                    "price": product.price,
                    "currency": "GBP",
                    "published_at": product.first,
                },
            )

    def _events(self, invoices: _Invoices) -> Iterator[Entry[EventDraft]]:
        for number, line, problem in tqdm(invoices.lines, desc="events", disable=None, leave=False):
            row = Row(number, {"": line}, problem)
            if isinstance(line, str):
                yield Entry(row, None, problem)
                continue
            said = {
                "event_type": "refund" if line.cancelled else "purchase",
                "user_id": line.customer,
                "item_id": line.code,
                "session_id": line.invoice,
                "occurred_at": line.time,
                "value": line.price,
                "currency": "GBP",
                "quantity": abs(line.quantity),
            }
            yield Entry(row, EventDraft(said, f"online-retail:{line.invoice}:{line.code}"))

    def _line(self, row: Row) -> _Line:
        """The row understood. Raises BadValue for what is neither a sale nor a cancellation of a product."""
        if row.problem:
            raise BadValue(row.problem)
        invoice, code, description, quantity, time, price, customer = self._cells(row.values)
        line = _Line(
            code=_code(code),
            invoice=_invoice(invoice),
            description=_word(description),
            quantity=_whole(quantity),
            time=_london(time, month_first=self._month_first),
            price=_price(price),
            customer=_customer(customer),
        )
        if line.quantity <= 0 or line.price <= 0 or line.cancelled or not line.invoice:
            _check(line)
        return line


def _check(line: _Line) -> None:
    if not line.invoice:
        raise BadValue("no invoice number")
    if line.quantity == 0:
        raise BadValue("the quantity is 0")
    if line.price < 0:
        raise BadValue(f"negative price: {line.price}")
    if line.cancelled and line.quantity > 0:
        raise BadValue("a cancellation with a positive quantity")
    if line.quantity < 0 and not line.cancelled:
        raise BadValue(f"stock adjustment: quantity {line.quantity} without a cancellation")
    if not line.price and not line.customer:
        raise BadValue("stock adjustment: neither price nor customer")


def is_title(description: str) -> bool:
    """Whether the text can be a product's name: not a note about the stock, such as '?', 'damaged' or 'CHECK'."""
    letters = [letter for letter in description if letter.isalpha()]
    capitals = sum(letter.isupper() for letter in letters)
    if len(letters) < 3 or not capitals or description.startswith("?"):
        return False
    shouted = capitals >= 0.5 * len(letters) and len(description.split()) > 1
    return shouted or not _NOTE.search(description)


# The cells of the hundreds of thousands of rows are few different ones, so each is worked out once.


@lru_cache(_REMEMBERED)
def _code(cell: Any) -> str:
    code = " ".join(text(cell).upper().split())
    if not code:
        raise BadValue("no stock code")
    if code in _NOT_PRODUCTS or _NOT_PRODUCT_FAMILIES.match(code):
        raise BadValue(f"not a product: {code}")
    return code


@lru_cache(_REMEMBERED)
def _word(cell: Any) -> str:
    return " ".join(text(cell).split())


@lru_cache(_REMEMBERED)
def _invoice(cell: Any) -> str:
    return text(cell).upper()


@lru_cache(_REMEMBERED)
def _customer(cell: Any) -> str:
    return text(cell).removesuffix(".0")


@lru_cache(_REMEMBERED)
def _whole(cell: Any) -> int:
    try:
        if int(float(cell)) == float(cell):
            return int(float(cell))
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadValue(f"the quantity is not a whole number: {str(cell)[:50]!r}")


@lru_cache(_REMEMBERED)
def _price(cell: Any) -> float:
    try:
        price = float(cell)
        if math.isfinite(price):
            return round(price, 4)
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadValue(f"the price is not a number: {str(cell)[:50]!r}")


@lru_cache(_REMEMBERED)
def _london(cell: Any, *, month_first: bool) -> datetime:
    word = "" if isinstance(cell, datetime) else text(cell)
    try:
        if isinstance(cell, datetime):
            time = cell
        elif "/" in word:
            format = "%m/%d/%Y %H:%M" if month_first else "%d/%m/%Y %H:%M"
            time = datetime.strptime(word, format)  # noqa: DTZ007 - the zone is added below
        else:
            time = datetime.fromisoformat(word)
    except ValueError:
        raise BadValue(f"not a time: {word[:50]!r}") from None
    return time.replace(tzinfo=LONDON).astimezone(UTC)
