"""Colours of the preview, light and dark, by the names that drawings use: `var(--text)`."""

import re

# Elastic UI's palette for data (safe for the colour-blind) and its greys; `heat` from few to many.
SERIES = (
    "#54b399",
    "#6092c0",
    "#d36086",
    "#9170b8",
    "#ca8eae",
    "#d6bf57",
    "#b9a888",
    "#da8b45",
    "#aa6556",
    "#e7664c",
)
SERIES_DARK = (
    "#54b399", "#6e9fce", "#d9769a", "#a184c9", "#d6a3bf", "#d6bf57", "#c4b69b", "#e09b5e", "#bf8274", "#ec7f68",
)  # fmt: skip
HEAT = ("#e2eff5", "#bcdcea", "#8cc1d9", "#5aa2c4", "#3a80a8", "#1f5c85")
HEAT_DARK = ("#203040", "#244d66", "#2b6c8c", "#3d8fb0", "#66b3cf", "#a3dbea")

LIGHT = {
    "page": "#f6f9fc", "panel": "#ffffff", "border": "#dfe5ef", "text": "#1d2a3e", "subdued": "#5a6b85",
    "grid": "#e6ebf2", "other": "#98a2b3", "link": "#0061a6", "up": "#00726b", "down": "#a71627",
    "bar": "#f1f4fa",
}  # fmt: skip
DARK = {
    "page": "#0b1628", "panel": "#14213a", "border": "#2b394f", "text": "#e3e8f2", "subdued": "#98a8c3",
    "grid": "#25344d", "other": "#6a7b99", "link": "#61a2ff", "up": "#5fc9a8", "down": "#f6726a",
    "bar": "#1b2a45",
}  # fmt: skip
for theme, series, heat in ((LIGHT, SERIES, HEAT), (DARK, SERIES_DARK, HEAT_DARK)):
    theme |= {f"series{place}": colour for place, colour in enumerate(series)}
    theme |= {f"heat{place}": colour for place, colour in enumerate(heat)}

SERIES_COLOURS = [f"var(--series{place})" for place in range(len(SERIES))]
HEAT_COLOURS = [f"var(--heat{place})" for place in range(len(HEAT))]


def css_variables(theme: dict[str, str]) -> str:
    """The theme as declarations of a style sheet."""
    return "".join(f"--{name}:{colour};" for name, colour in theme.items())


def painted(svg: str, theme: dict[str, str]) -> str:
    """A drawing with the theme's colours instead of their names, for whoever knows no variables."""
    # attributes only, and so with the end of a tag after them: the text of a tweet may name colours of its own
    return re.sub(r'="var\(--(\w+)\)"(?=[^<>]*>)', lambda found: f'="{theme[found[1]]}"', svg)
