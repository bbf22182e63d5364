"""What a column of a table holds: numbers, categories or dates, where that is certain."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sgdlab.datasets.table_dates import dates_of, parsed, refuse_unread
from sgdlab.datasets.table_settings import typed
from sgdlab.errors import InputError

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["number", "category", "date", "empty"]

MISSING = (
    "", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "Null", "null", "None", "<NA>", "-nan",
    "-NaN", "NaT",
)  # fmt: skip
"""What stands for a missing value in the files of R, pandas, spreadsheets and databases."""

_PLAIN = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+|inf)$")
_MANY = 20
"""Above so many different values, numbers with the same unit are quantities, not names."""


@dataclass(frozen=True)
class CellFormat:
    """How cells are to be read, as the user says it.

    Attributes:
        decimal: What stands before the decimals of a number.
        thousands: What stands between groups of three digits; None: nothing.
        missing: What else stands for a missing value.
        categories: Columns that hold names, whatever they look like.
        dates: Columns that hold dates, each with its form, as in ``strftime``.
    """

    decimal: str = "."
    thousands: str | None = None
    missing: Sequence[str] = ()
    categories: Sequence[str] = ()
    dates: Mapping[str, str] = field(default_factory=dict)

    def number(self) -> str:
        """Return the regular expression of a number."""
        whole = r"\d+"
        if self.thousands:
            whole = rf"(?:\d+|\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+)"
        point = re.escape(self.decimal)
        decimals = rf"(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
        return rf"^[+-]?(?:{decimals}|(?i:inf|infinity))$"


@dataclass(frozen=True)
class Column:
    """A column that is understood.

    Attributes:
        name: Its name.
        kind: What it holds; ``empty``: nothing.
        values: Float64, an integer type, or Boolean for numbers; text for categories; microseconds
            for dates. Null where they are missing.
        note: What was seen in it that a reader should know.
    """

    name: str
    kind: Kind
    values: "pl.Series"
    note: str = ""


def column_of(cells: "pl.Series", reading: CellFormat) -> Column:
    """Find out what a column holds.

    Text is a number, a date or a category by all of its values. Numbers with zeros in front, such
    as postcodes, are categories. Whole numbers stay integers of any size.

    Args:
        cells: Text, null where it is missing, or any type that Parquet has.
        reading: What the user says.

    Raises:
        InputError: Nobody could tell: numbers with signs of currency, a few words among numbers,
            dates with day and month in unknown order, infinite values. Says what to set.
    """
    import polars as pl

    name, kind = cells.name, cells.dtype
    if isinstance(kind, pl.Categorical | pl.Enum):
        return Column(name, "category", _stripped(cells.cast(pl.String), reading))
    if kind == pl.String:
        return _of_text(_stripped(cells, reading), reading)
    if kind.is_numeric() or kind == pl.Boolean or kind == pl.Null:
        return _typed_number(cells, reading)
    if isinstance(kind, pl.Date | pl.Datetime):
        local = cells.cast(pl.Datetime("us", getattr(kind, "time_zone", None)))
        return Column(name, "date", local.dt.replace_time_zone(None))
    if isinstance(kind, pl.Duration):
        days = cells.dt.total_microseconds() / 86_400_000_000
        return Column(name, "number", days, "durations in days")
    raise InputError(
        f"{name} holds {kind}, neither numbers, text nor dates: {typed('drop', [name])}"
    )


def _stripped(cells: "pl.Series", reading: CellFormat) -> "pl.Series":
    text = cells.str.strip_chars()
    return text.set(text.is_in([*MISSING, *reading.missing]), None)


def _typed_number(cells: "pl.Series", reading: CellFormat) -> Column:
    import polars as pl

    name = cells.name
    if name in reading.dates or name in reading.categories:
        return _of_text(_stripped(cells.cast(pl.String), reading), reading)
    if cells.dtype.is_float() or cells.dtype.is_decimal():
        cells = cells.cast(pl.Float64).fill_nan(None)
    return _number(name, cells, reading)


def _number(name: str, values: "pl.Series", reading: CellFormat) -> Column:
    import polars as pl

    if absent := [float(text) for text in reading.missing if _PLAIN.match(text)]:
        values = values.set(values.cast(pl.Float64).is_in(absent), None)
    if values.null_count() == len(values):
        return Column(name, "empty", values)
    if values.dtype.is_float():
        infinite = values.is_infinite().arg_true()
        if len(infinite):
            row = infinite[0]
            raise InputError(
                f"{name} holds an infinite number in row {row + 1}: mend it, or "
                "dataset.missing=[inf,-inf] if that stands for a missing value"
            )
    return Column(name, "number", values)


def _of_text(cells: "pl.Series", reading: CellFormat) -> Column:
    name = cells.name
    found = cells.drop_nulls()
    if found.is_empty():
        return Column(name, "empty", cells)
    if (form := reading.dates.get(name)) is not None:
        dates = parsed(cells, form)
        refuse_unread(cells, dates, name, f"a date of the form {form}")
        return Column(name, "date", dates)
    if name in reading.categories:
        return Column(name, "category", cells)
    numeric = found.str.contains(reading.number())
    if numeric.all():
        if _are_codes(found):
            return Column(name, "category", cells, "codes: there are zeros in front")
        return _number(name, _numbers(cells, reading), reading)
    dates = dates_of(cells, name)
    if dates is not None:
        return Column(name, "date", dates)
    _refuse_numbers_in_words(cells, numeric, reading)
    count = int(numeric.sum())
    return Column(name, "category", cells, f"{count} of the values are numbers" if count else "")


def _are_codes(found: "pl.Series") -> bool:
    return bool(found.str.contains(r"^\d+$").all() and found.str.contains(r"^0\d").any())


def _numbers(cells: "pl.Series", reading: CellFormat) -> "pl.Series":
    import polars as pl

    if reading.thousands:
        cells = cells.str.replace_all(reading.thousands, "", literal=True)
    if reading.decimal != ".":
        cells = cells.str.replace(reading.decimal, ".", literal=True)
    if cells.drop_nulls().str.contains(r"^[+-]?\d+$").all():
        for kind in (pl.Int64, pl.Int128):
            whole = cells.cast(kind, strict=False)
            if whole.null_count() == cells.null_count():
                return whole
    return cells.cast(pl.Float64)


_GROUPS = r"^[+-]?\d{1,3}(?:[,.' \x{a0}\x{202f}]\d{3})+(?:[.,]\d+)?$"
_COMMA = r"^[+-]?\d*,\d+$"
_MONEY = r"^[(+-]?\s*\p{Sc}\s*[+-]?[\d.,' ]*\d\s*[kKmMbB]?\)?$"
_SIGN_LAST = r"^[(+-]?[\d.,' ]*\d\s*(?:\p{Sc}|%|‰)\)?$"
_NEGATIVE = r"^\(\d[\d.,]*\)$"
_WRITTEN = f"{_GROUPS}|{_COMMA}|{_MONEY}|{_SIGN_LAST}|{_NEGATIVE}"
_UNIT = r"^[+-]?\d[\d.,]*\s*([\p{L}°µ][\p{L}°µ/²³0-9]*)$"


def _refuse_numbers_in_words(cells: "pl.Series", numeric: "pl.Series", reading: CellFormat) -> None:
    """Refuse text that is numbers to a reader, but not to a program."""
    name, found = cells.name, cells.drop_nulls()
    rest = found.filter(~numeric)
    likely = len(found) <= 2 * int(numeric.sum())
    unsure = f"{typed('categories', [name])} if these are names, or {typed('drop', [name])}"
    written = rest.str.contains(_WRITTEN)
    if written.any() and 2 * (int(numeric.sum()) + int(written.sum())) > len(found):
        rest = rest.filter(written)
        raise InputError(
            f"{name} holds numbers written as text ({_first(cells, rest)}): "
            f"{_remedy(rest, reading)}, or {unsure}"
        )
    units = rest.str.extract(_UNIT, 1)
    if not units.null_count() and units.n_unique() == 1 and rest.n_unique() > _MANY:
        raise InputError(
            f"{name} holds numbers with a unit ({_first(cells, rest)}): write them without it, "
            f"or {unsure}"
        )
    if likely:
        words = [*rest.unique(maintain_order=True)[:3]]
        raise InputError(
            f"{name} holds {int(numeric.sum())} numbers and {_first(cells, rest)}: "
            f"{typed('missing', words)} if that stands for a missing value, {unsure}"
        )


def _first(cells: "pl.Series", of: "pl.Series") -> str:
    return f'"{of[0]}" in row {int((cells == of[0]).arg_true()[0]) + 1}'


def _remedy(rest: "pl.Series", reading: CellFormat) -> str:
    if rest.str.contains(r"\p{Sc}|%|‰|\(").any():
        return "write them as plain numbers"
    if reading.decimal == "." and rest.str.contains(_COMMA).all():
        groups = rest.str.contains(r"^[+-]?\d{1,3},\d{3}$").all()
        return "dataset.thousands=comma or dataset.decimal=comma" if groups else (
            "dataset.decimal=comma"
        )  # fmt: skip
    if rest.str.contains(_GROUPS).all():
        return "set dataset.thousands and dataset.decimal (comma, point, space, apostrophe)"
    return "write them as plain numbers"
