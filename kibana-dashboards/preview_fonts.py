"""Fonts that draw Korean and Japanese, cut down to the characters that are shown: for the page and the picture."""

import atexit
import base64
import io
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import vl_convert
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

LATIN, JAPANESE, REST = "NanumGothic", "IPAexGothic", "DejaVu Sans"
FAMILIES = f"{LATIN}, {JAPANESE}, {REST}"
"""For drawings. NanumGothic is a little wider than the fonts of most systems, which the page prefers for Latin."""
PAGE_FAMILIES = (
    f"{LATIN}, {JAPANESE}, Inter, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
)
# The page brings what a system may lack, and takes all else from the system.
PAGE_RANGES = {
    LATIN: "U+1100-11FF,U+3130-318F,U+A960-A97F,U+AC00-D7FF",
    JAPANESE: "U+2E80-30FF,U+31F0-9FFF,U+F900-FAFF,U+FF00-FFEF",
}
# NanumGothic lacks every tenth common kanji: Japanese comes from IPAexGothic as a whole, so that it looks of a piece.
FILES = {
    (LATIN, 400): ("koreanize_matplotlib", "fonts/NanumGothic.ttf"),
    (LATIN, 700): ("koreanize_matplotlib", "fonts/NanumGothicBold.ttf"),
    (JAPANESE, 400): ("matplotlib_fontja", "fonts/ipaexg.ttf"),
    (REST, 400): ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
}
ALWAYS = "".join(map(chr, (*range(32, 127), *range(161, 256)))) + "…–→▲▼∞"


class Fonts:
    """The fonts of one preview, and the widths of their characters."""

    def __init__(self, shown: Iterable[str]) -> None:
        fonts = {
            key: TTFont(io.BytesIO(_path(*place).read_bytes()), lazy=True) for key, place in FILES.items()
        }
        covered = {family: set(font.getBestCmap()) for (family, _), font in fonts.items()}
        self._family = {c: _family(c, covered) for c in set(ALWAYS).union(*map(set, shown))}
        self._files: dict[tuple[str, int], bytes] = {}
        for (family, weight), font in fonts.items():
            if mine := {ord(c) for c, chosen in self._family.items() if chosen == family}:
                self._files[family, weight] = _cut(font, mine | set(map(ord, ALWAYS)), shaped=family == REST)
        self._widths = {key: _widths(file) for key, file in self._files.items()}

    def register(self) -> None:
        """Make vl_convert draw with these fonts; for the whole process."""
        folder = Path(tempfile.mkdtemp(prefix="preview-fonts-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for (family, weight), file in self._files.items():
            (folder / f"{family}-{weight}.ttf").write_bytes(file)
        vl_convert.register_font_directory(str(folder))

    def drawable(self, text: str) -> str:
        """The text without what none of the fonts has, such as emoji."""
        return " ".join("".join(c for c in text if self._family.get(c)).split())

    def lacks_letters(self, text: str) -> bool:
        """True where what is drawable would be another word."""
        return any(c.isalpha() and not self._family.get(c) for c in text)

    def runs(self, text: str) -> list[tuple[str, str]]:
        """The drawable text in parts of one font each: (family, part). Signs and spaces stay with what is before."""
        parts: list[tuple[str, str]] = []
        for c in text:
            family = self._family.get(c)
            if parts and (parts[-1][0] == family or (c in ALWAYS and not c.isalnum())):
                parts[-1] = (parts[-1][0], parts[-1][1] + c)
            elif family:
                parts.append((family, c))
        return parts

    def width(self, text: str, size: float, weight: int = 400) -> float:
        """How wide the text is, in pixels; what no font has is taken to be as wide as it is high."""
        missing = sum(not self._family.get(c) for c in text)
        drawn = sum(self._advance(c, family, weight) for family, part in self.runs(text) for c in part)
        return size * (missing + drawn)

    def fitted(self, text: str, width: float, size: float, weight: int = 400) -> str:
        """The text, or as much of it as fits, with … at its end."""
        if self.width(text, size, weight) <= width:
            return text
        shortest, longest = 0, len(text)
        while shortest < longest:
            middle = (shortest + longest + 1) // 2
            if self.width(text[:middle] + "…", size, weight) <= width:
                shortest = middle
            else:
                longest = middle - 1
        return text[:shortest].rstrip() + "…"

    @cached_property
    def css(self) -> str:
        """The fonts as rules of a style sheet, which holds them itself."""
        rules = []
        for (family, weight), file in self._files.items():
            if family in PAGE_RANGES:
                weights = {400: "400", 700: "600 700"}[weight] if family == LATIN else "400 700"
                rules.append(
                    f"@font-face{{font-family:{family};font-weight:{weights};unicode-range:{PAGE_RANGES[family]};"
                    f"src:url(data:font/woff;base64,{_woff(file)})}}"
                )
        return "\n".join(rules)

    def _advance(self, c: str, family: str, weight: int) -> float:
        widths = self._widths.get((family, weight)) or self._widths[family, 400]
        return widths.get(ord(c), 1.0)


def _path(package: str, file: str) -> Path:
    found = find_spec(package)
    if not found or not found.origin:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(found.origin).parent / file


def _family(c: str, covered: dict[str, set[int]]) -> str | None:
    japanese = unicodedata.east_asian_width(c) in ("W", "F") and not unicodedata.name(c, "").startswith(
        "HANGUL"
    )
    order = (JAPANESE, LATIN, REST) if japanese else (LATIN, JAPANESE, REST)
    return next((family for family in order if ord(c) in covered[family]), None)


def _cut(font: TTFont, characters: set[int], shaped: bool) -> bytes:
    """The font with these characters only; `shaped`: with the rules that join letters, as Arabic needs."""
    options = Options(hinting=False, notdef_outline=True, name_IDs=["*"])
    options.drop_tables += ["FFTM", "TSI0", "TSI1", "TSI2", "TSI3", "TSI5"]
    if not shaped:
        options.drop_tables += ["GSUB", "GPOS", "GDEF"]
    cutter = Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    return _saved(font)


def _saved(font: TTFont) -> bytes:
    file = io.BytesIO()
    font.save(file, reorderTables=False)
    return file.getvalue()


def _woff(file: bytes) -> str:
    font = TTFont(io.BytesIO(file))
    font.flavor = "woff"
    return base64.b64encode(_saved(font)).decode()


def _widths(file: bytes) -> dict[int, float]:
    """Of each character, by its code point: parts of the font's size."""
    font = TTFont(io.BytesIO(file))
    unit, advances = font["head"].unitsPerEm, font["hmtx"].metrics
    return {code: advances[glyph][0] / unit for code, glyph in font.getBestCmap().items()}
