"""The playground's colours, in light and in dark, and how far apart two colours are.

Text keeps a contrast of 4.5 to what is behind it, and the racers' lines 3 to every band of the map (WCAG 2.2, AA); a
test computes both. Each racer has a number besides, so that nothing is told by colour alone.
"""

from __future__ import annotations

_RACERS = ("#0067a6", "#b84300", "#00704f", "#a32a78", "#1f2329", "#5b47b8", "#7d5a00", "#7a3f24")
_RACERS_DARK = ("#62b4f4", "#ff9550", "#35d0a2", "#f394cf", "#f2f2f2", "#b3a6ff", "#f2d24a", "#d6a588")

LIGHT = {
    "text": "#23262d",
    "muted": "#545a67",
    "line": "#dfe3ea",
    "edge": "#858c9a",
    "page": "#f3f5f8",
    "card": "#ffffff",
    "accent": "#0067a6",
    "badge": "#ffffff",
    "low": "#ffffff",
    "high": "#ccd7e4",
    "step": "-7",
    "band": "rgb(0 103 166 / 14%)",
    **{f"racer{k}": colour for k, colour in enumerate(_RACERS)},
}

DARK = {
    "text": "#e8eaee",
    "muted": "#abb1be",
    "line": "#343945",
    "edge": "#7d8594",
    "page": "#121419",
    "card": "#1b1e25",
    "accent": "#62b4f4",
    "badge": "#121419",
    "low": "#0f1116",
    "high": "#343e4d",
    "step": "7",
    "band": "rgb(98 180 244 / 18%)",
    **{f"racer{k}": colour for k, colour in enumerate(_RACERS_DARK)},
}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (`#rrggbb`), from 1 to 21, as WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
