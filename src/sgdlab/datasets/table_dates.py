"""Dates written as text, read only where the text leaves no doubt."""

from typing import TYPE_CHECKING

from sgdlab.datasets.table_settings import typed
from sgdlab.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_TIMES = ("", "T%H:%M:%S%.f", " %H:%M:%S%.f", "T%H:%M", " %H:%M")
_CERTAIN = [
    *(f"{date}{time}" for date in ("%Y-%m-%d", "%Y/%m/%d") for time in _TIMES),
    "%Y-%m",
    *(f"{date}{time}" for date in ("%d %B %Y", "%B %d %Y") for time in _TIMES),
]
_YEAR_FIRST = r"^\d{4}[-/]\d{1,2}([-/]\d{1,2}([T ]\d.*)?)?$"
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_GAP = r"[-/ ,.]+"
_MONTH_NAMED = rf"(?i)^(\d{{1,2}}{_GAP}{_MONTH}|{_MONTH}{_GAP}\d{{1,2}}){_GAP}(\d{{4}})([T ]\d.*)?$"
_QUARTER = r"(?i)^(\d{4})[- ]?q([1-4])$"
_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"
_YEAR_LAST = r"^(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4}|\d{2})([T ]\d.*)?$"


def dates_of(cells: "pl.Series", name: str) -> "pl.Series | None":
    """Read a column of text as dates.

    ISO 8601, quarters (2020Q1) and names of months are certain. Of 5/1/2020 either number may be
    the month: some value of the column must have one above 12. An offset from UTC is left out
    where all values have the same, so that hours and weekdays are those of the place.

    Args:
        cells: Text, null where it is missing; not all null.
        name: The name of the column, for messages.

    Returns:
        The dates in microseconds without a timezone; None where the text holds no dates.

    Raises:
        InputError: Dates, but nobody could tell which; says what to set.
    """
    found = cells.drop_nulls()
    if found.str.contains(_QUARTER).all():
        month = (3 * cells.str.extract(_QUARTER, 2).cast(int) - 2).cast(str).str.zfill(2)
        return parsed(cells.str.extract(_QUARTER, 1) + "-" + month, "%Y-%m")
    iso = found.str.contains(_YEAR_FIRST) | found.str.contains(_MONTH_NAMED)
    if iso.any():
        if 2 * iso.sum() < len(found):
            return None
        return _certain(cells, name)
    if (found.str.contains(_YEAR_LAST)).all():
        return _year_last(cells, name)
    return None


def _certain(cells: "pl.Series", name: str) -> "pl.Series":
    import polars as pl

    with_time = cells.str.contains(r"\d:\d")
    offsets = cells.set(~with_time, None).str.extract(_OFFSET, 1).str.replace("Z", "+00:00")
    different = offsets.drop_nulls().str.replace(r"^(.\d\d)(\d\d)$", "$1:$2").unique().sort()
    if len(different) and (offsets.null_count() > cells.null_count() or len(different) > 1):
        some = "none and " if offsets.null_count() > cells.null_count() else ""
        raise InputError(
            f"{name} holds times with different offsets from UTC ({some}"
            f"{', '.join(different[:3])}): write them in one timezone"
        )
    if len(different):
        cells = cells.str.replace(_OFFSET, "")
    named = cells.str.replace(rf"^(\w+){_GAP}(\w+){_GAP}(\d{{4}})\b", "$1 $2 $3")
    plain = cells.set(cells.str.contains(_MONTH_NAMED), None)
    read = [parsed(named if "%B" in form else plain, form) for form in _CERTAIN]
    dates = pl.select(pl.coalesce(read)).to_series()
    refuse_unread(cells, dates, name, "an existing date")
    return dates


def _year_last(cells: "pl.Series", name: str) -> "pl.Series":
    mark = cells.str.extract(_YEAR_LAST, 2).drop_nulls().unique()
    first, second = (cells.str.extract(_YEAR_LAST, part).cast(int) for part in (1, 3))
    day_first, month_first = first.max() > 12, second.max() > 12  # type: ignore[operator]
    short = (cells.str.extract(_YEAR_LAST, 5).str.len_chars() == 2).any()
    if len(mark) > 1 or day_first == month_first or short:
        example = cells.drop_nulls()[0]
        sign = mark[0]
        year = "%y" if short else "%Y"
        why = "dates with years of two digits" if short else "dates with either day or month first"
        raise InputError(
            f'{name} holds {why} ("{example}"): '
            f"{typed('dates', {name: f'%d{sign}%m{sign}{year}'})} or %m{sign}%d{sign}{year}"
        )
    date = f"%d{mark[0]}%m{mark[0]}%Y" if day_first else f"%m{mark[0]}%d{mark[0]}%Y"
    read = None
    for time in _TIMES:
        part = parsed(cells, f"{date}{time}")
        read = part if read is None else read.zip_with(read.is_not_null(), part)
    assert read is not None
    refuse_unread(cells, read, name, "an existing date")
    return read


def parsed(cells: "pl.Series", form: str) -> "pl.Series":
    """Return what of ``cells`` has a form of ``strftime``, in microseconds; null for the rest.

    Raises:
        InputError: Nobody could read this form.
    """
    try:
        return cells.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone(None)
    except Exception as error:
        raise InputError(f"dataset.dates: {form}: no form of dates, such as %d/%m/%Y") from error


def refuse_unread(cells: "pl.Series", read: "pl.Series", name: str, what: str) -> None:
    """Refuse a column of which something could not be read.

    Raises:
        InputError: Gives the first such value and its row.
    """
    unread = (read.is_null() & cells.is_not_null()).arg_true()
    if len(unread):
        row = unread[0]
        raise InputError(
            f'{name} holds "{cells[row]}" in row {row + 1}, not {what}: mend it, or '
            f"{typed('missing', [cells[row]])}, or {typed('categories', [name])}"
        )
