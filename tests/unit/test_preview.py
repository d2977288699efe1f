"""The page and the picture: whatever a tweet says stays text, and Korean and Japanese are really drawn."""

import io
import re
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
import vl_convert
from PIL import Image

from drawn_panels import HOSTILE, drawn
from kafka_cluster.script import UserError
from panel_text import safe_link
from preview import write
from preview_fonts import FAMILIES, Fonts
from preview_page import page
from preview_picture import Pen, picture_svg
from preview_theme import DARK, LIGHT, painted
from safe_svg import safe_svg


class Markup(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str, str]] = set()
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(tag, name, value or "") for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_text_of_tweets_is_never_markup_and_links_lead_to_the_web_only() -> None:
    dashboard, fonts = drawn([*HOSTILE, "https://example.com/?a=1&b='\"<"])
    markup = Markup(page([dashboard], HOSTILE[0], fonts))
    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "input",
        "header",
        "nav",
        "label",
        "main",
        "section",
    }
    allowed |= {"article", "h1", "h2", "div", "span", "i", "b", "p", "footer", "a", "bdi"}
    allowed |= {
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "g",
        "path",
        "text",
        "tspan",
        "line",
        "rect",
    }
    assert markup.tags <= allowed, markup.tags - allowed
    assert not [each for each in markup.attributes if each[1].startswith("on") or each[1] in ("style", "src")]
    links = {value for _, name, value in markup.attributes if name in ("href", "xlink:href")}
    assert links == {"https://example.com/?a=1&b=%27%22%3C"}
    text = "".join(markup.text)
    assert "<script>document.title='taken'</script>" in text, "shown as it was written"
    assert "<b>x</b>" in text, "nor is there markup in markdown"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ufffe]", text)


def test_the_page_loads_and_runs_nothing() -> None:
    dashboard, fonts = drawn(["한국어"])
    text = page([dashboard], "", fonts)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy and policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1] and "<script" not in text
    assert not re.search(r"(?:src|href|url\()\s*=?\s*[\"']?(?:https?:)?//", text), "nothing from elsewhere"


def test_a_page_that_can_not_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "index.html"):
        with pytest.raises(UserError, match=f"can't write {path}: .*; name a file where you may write"):
            write(path, b"")


def test_the_picture_is_one_clean_drawing_of_the_same_text() -> None:
    dashboard, fonts = drawn(HOSTILE)
    drawing = painted(picture_svg(dashboard, HOSTILE[0], fonts), DARK)
    root = ElementTree.fromstring(drawing)  # noqa: S314
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "g", "rect", "path", "text", "tspan", "line", "defs", "clipPath", "title"}
    assert "".join(root.itertext()).count("<script>") >= 3
    assert not [value for element in root.iter() for value in element.attrib.values() if "var(" in value]
    text = "".join(root.itertext())
    assert "our var(--brand)" in text and 'fill="var(--text)"' in text and 'fill="#' not in text


def test_a_drawing_keeps_only_shapes_and_text() -> None:
    given = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="x()">
    <script>x()</script><a xlink:href="javascript:x()"><text>in a link</text></a><image href="http://x/"/>
    <clipPath id="c"><rect width="1"/></clipPath><g clip-path="url(#c)" style="x" fill="url(http://x/)"/>
    <path aria-roledescription="bar" aria-label="a &lt;b&gt;" d="M0,0"/></svg>"""
    safe = safe_svg(given, "p-")
    assert not re.search(r"script|javascript|href|onload|http://x|style|image", safe)
    assert 'id="p-c"' in safe and 'clip-path="url(#p-c)"' in safe and "<title>a &lt;b&gt;</title>" in safe


def test_only_addresses_of_the_web_are_links() -> None:
    for address in (
        "javascript:x",
        "JaVaScRiPt:x",
        "data:text/html,x",
        "//x.com",
        "/x",
        "ftp://x",
        "http://",
        "http://[",
    ):
        assert safe_link(address) == ""
    assert safe_link("https://x.com/i/status/1") == "https://x.com/i/status/1"


def glyphs(characters: str, weight: int = 400) -> list[bytes]:
    """Each character as it is drawn, 48 pixels large, on a ground of its own."""
    fonts = Fonts([characters])
    fonts.register()
    pen, images = Pen(fonts), []
    texts = "".join(
        pen.text(60 * place + 6, 48, c, 44, bold=weight == 700) for place, c in enumerate(characters)
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{60 * len(characters)}" height="64" '
        f'font-family="{FAMILIES}">{painted(texts, LIGHT)}</svg>'
    )
    with Image.open(io.BytesIO(vl_convert.svg_to_png(svg, scale=1))) as drawing:
        image = drawing.getchannel("A")
    for place in range(len(characters)):
        images.append(image.crop((60 * place, 0, 60 * place + 60, 64)).tobytes())
    return images


@pytest.mark.parametrize("weight", [400, 700])
def test_korean_and_japanese_are_drawn_and_no_two_characters_look_alike(weight: int) -> None:
    found = glyphs("한글닭뷁안녕あいうアイウ楽気会発来体読画東京駅خ", weight)
    for image in found:
        assert sum(value > 128 for value in image) > 60, "something is drawn"
    for one, other in combinations(found, 2):
        assert sum(abs(a - b) > 128 for a, b in zip(one, other, strict=True)) > 40, "not the same box"


def test_what_no_font_has_is_left_out_of_the_picture_and_the_rest_keeps_its_font() -> None:
    fonts = Fonts(["한글 🥐 café 楽"])
    assert fonts.drawable("한글 🥐 café 楽") == "한글 café 楽"
    assert [family for family, _ in fonts.runs("한글 楽 x")] == ["NanumGothic", "IPAexGothic", "NanumGothic"]
    cut = fonts.fitted("한글 café café café", 60, 12)
    assert cut.endswith("…") and fonts.width(cut, 12) <= 60
