"""A drawing that may stand in a page: shapes and text only, nothing that runs, loads or leads anywhere."""

import re
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
SHAPES = {"svg", "g", "path", "rect", "line", "circle", "text", "tspan", "title", "defs", "clipPath"}
ATTRIBUTES = {
    "viewBox", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "d", "transform",
    "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit",
    "fill-opacity", "stroke-opacity", "opacity", "text-anchor", "font-size", "font-weight",
    "dominant-baseline", "dx", "dy", "clip-path", "id", "display",
}  # fmt: skip
# Values hold numbers and names of colours; of links only those to a clip in the same drawing.
VALUE = re.compile(r"(?!.*url\()[\w\s.,:;%#()'\"+-]*|url\(#\w+\)")


def safe_svg(drawing: str, prefix: str) -> str:
    """The drawing rebuilt from what is allowed. `prefix` keeps its ids apart from those of others.

    The fonts are the page's. What a shape says about itself to a screen reader becomes its tooltip.
    """
    root = _rebuilt(ElementTree.fromstring(drawing), prefix)  # noqa: S314 - vl_convert made it, without entities
    if root is None:
        raise ValueError("no drawing")
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _rebuilt(given: ElementTree.Element, prefix: str) -> ElementTree.Element | None:
    name = given.tag.rpartition("}")[2]
    if name not in SHAPES or given.get("display") == "none":
        return None
    made = ElementTree.Element(f"{{{SVG}}}{name}")
    made.attrib.update(
        {key: _named(key, value, prefix) for key, value in given.attrib.items() if _is_safe(key, value)}
    )
    made.text, made.tail = given.text, given.tail
    if (tip := given.get("aria-label")) and given.get("aria-roledescription") in (
        "bar",
        "arc mark",
        "rect mark",
        "point",
    ):
        ElementTree.SubElement(made, f"{{{SVG}}}title").text = tip
    made.extend(child for each in given if (child := _rebuilt(each, prefix)) is not None)
    return made


def _is_safe(key: str, value: str) -> bool:
    return key in ATTRIBUTES and VALUE.fullmatch(value) is not None


def _named(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    return value.replace("url(#", f"url(#{prefix}") if key == "clip-path" else value
