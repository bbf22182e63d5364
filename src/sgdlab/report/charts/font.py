"""A light copy of the font of the figures, which a PDF file embeds in a tenth of the time."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from fontTools import subset
from matplotlib import font_manager

NAME = "sgdlab Sans"
"""The family of the copy; the licence of DejaVu asks that changed copies have another name."""

_SCRIPTS = (
    range(0x20, 0x180),  # Latin
    range(0x370, 0x400),  # Greek
    range(0x2010, 0x2028),  # dashes, quotes
    range(0x2070, 0x20A0),  # superscripts
    range(0x2190, 0x2300),  # arrows, mathematics
)
"""What else a name holds comes from the whole font."""

_UNUSED = ("GSUB", "GPOS", "GDEF", "kern", "prep", "cvt ", "fpgm", "FFTM")

_NAMES = {1: NAME, 4: NAME, 6: NAME.replace(" ", ""), 16: NAME}
"""Family, full name, PostScript name and typographic family, by their numbers in a font."""


@cache
def light() -> str:
    """Make the copy known to matplotlib and return its family.

    Each PDF file embeds the glyphs it shows, and to find them takes a fifth of a second with the
    tables of ligatures and hints of the whole font, which no figure uses.
    """
    options = subset.Options(
        glyph_names=True, hinting=False, layout_features=[], name_IDs=["*"], recalc_timestamp=False
    )
    options.drop_tables += _UNUSED
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for script in _SCRIPTS for code in script])
    path = _folder() / "light.ttf"
    with subset.load_font(font_manager.findfont("DejaVu Sans"), options) as font:
        subsetter.subset(font)
        names = font["name"]
        for record in list(names.names):
            if new := _NAMES.get(record.nameID):
                place = record.platformID, record.platEncID, record.langID
                names.setName(new, record.nameID, *place)
        subset.save_font(font, str(path), options)
    font_manager.fontManager.addfont(path)
    return NAME


@cache
def _folder() -> Path:
    """Return a folder that lasts as long as the process."""
    folder = tempfile.mkdtemp(prefix="sgdlab-font-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
