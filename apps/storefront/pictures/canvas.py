"""The drawing surface of the product pictures: colours, a backdrop, shading, and one pattern for each style.

A picture is an SVG of 400 x 400 whose floor lies at y = FLOOR. Everything is derived from a `Look`, so the same
look gives the same bytes.
"""

import zlib
from dataclasses import dataclass
from html import escape

from apps.storefront.pictures.patterns import pattern_svg

FLOOR = 322
WOODS = {"oak": "#C69B63", "walnut": "#80573B", "beech": "#DDBB8E", "ash": "#E2CCA4", "pine": "#E4C189"}
METALS = {"brass": "#CFA652", "metal": "#5A6068", "copper": "#BE7B4F"}


@dataclass(frozen=True)
class Look:
    """What decides a picture: colour and style, the material's word, which form of its kind, and a"
    " number to vary by."""

    colour: str
    accent: str
    style: str
    material: str
    form: int
    number: int

    def choose(self, options: int, salt: str) -> int:
        """A number below `options` that depends on the item and the salt only."""
        return zlib.crc32(f"{self.number}/{salt}".encode()) % options

    @property
    def wood(self) -> str:
        """The material's own colour if it is a wood or metal, else oak's."""
        return WOODS.get(self.material) or METALS.get(self.material) or WOODS["oak"]


def mix(colour: str, other: str, share: float) -> str:
    """`share` of the way from one #rrggbb colour to the other."""
    pairs = ((int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


def lighter(colour: str, share: float) -> str:
    return mix(colour, "#FFFFFF", share)


def darker(colour: str, share: float) -> str:
    return mix(colour, "#1B1512", share)


def luminance(colour: str) -> float:
    """Perceived brightness, 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


class Canvas:
    """Collects shapes in order; `svg()` puts them on the backdrop."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.main = look.colour
        self.dark = darker(look.colour, 0.28)
        self.deep = darker(look.colour, 0.5)
        self.light = lighter(look.colour, 0.45)
        self.ink = look.accent if luminance(look.colour) > 0.72 else lighter(look.colour, 0.72)
        self._shapes: list[str] = []

    def add(self, svg: str) -> None:
        self._shapes.append(svg)

    def fill(self, path: str, colour: str, opacity: float = 1.0) -> None:
        self.add(f'<path d="{path}" fill="{colour}"{_opacity(opacity)}/>')

    def line(self, path: str, colour: str, width: float, opacity: float = 1.0) -> None:
        self.add(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linecap="round" '
            f'stroke-linejoin="round"{_opacity(opacity)}/>'
        )

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: str, opacity: float = 1.0) -> None:
        self.add(f'<ellipse cx="{x}" cy="{y}" rx="{rx}" ry="{ry}" fill="{colour}"{_opacity(opacity)}/>')

    def ring(self, x: float, y: float, r: float, colour: str, width: float, opacity: float = 1.0) -> None:
        self.add(
            f'<circle cx="{x}" cy="{y}" r="{r}" fill="none" stroke="{colour}"'
            f' stroke-width="{width}"{_opacity(opacity)}/>'
        )

    def box(self, x: float, y: float, w: float, h: float, r: float, colour: str, opacity: float = 1.0) -> None:
        self.add(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{r}" fill="{colour}"{_opacity(opacity)}/>')

    def body(self, path: str, colour: str = "", *, pattern: bool = True, shade: str = "round") -> None:
        """A solid thing: colour, the style's pattern, then light from the left (`round`, `flat` or `soft`)."""
        self.fill(path, colour or self.main)
        if pattern:
            self.fill(path, "url(#pattern)")
        self.fill(path, f"url(#{shade})")

    def shadow(self, x: float, rx: float, y: float = FLOOR, ry: float = 0) -> None:
        """The soft shadow a thing throws on the floor; drawn where it is called."""
        self.add(f'<ellipse cx="{x + 8}" cy="{y}" rx="{rx}" ry="{ry or max(rx * 0.11, 6)}" fill="url(#shadow)"/>')

    def svg(self, title: str) -> str:
        """The whole document; `title` is escaped."""
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="800" height="800" role="img">'
            f"<title>{escape(title)}</title><defs>{pattern_svg(self.look, self.ink)}{_LIGHT}</defs>"
            f"{self._backdrop()}{''.join(self._shapes)}</svg>"
        )

    def _backdrop(self) -> str:
        """A soft wall and floor, or a shape behind the thing, tinted to set the colour off."""
        look = self.look
        tint = _TINTS[look.style][look.choose(len(_TINTS[look.style]), "tint")]
        wall, shape, floor = lighter(tint, 0.42), lighter(tint, 0.1), mix(lighter(tint, 0.2), "#FFFFFF", 0.12)
        base = f'<rect width="400" height="400" fill="{wall}"/>'
        kind = look.choose(4, "backdrop")
        if kind == 0:
            return base + f'<circle cx="200" cy="196" r="142" fill="{shape}" opacity=".75"/>'
        if kind == 1:
            return (
                base
                + f'<path d="M78 {FLOOR + 14}V190a122 122 0 0 1 244 0v{FLOOR - 176}z" fill="{shape}" opacity=".75"/>'
            )
        if kind == 2:
            return base + f'<rect y="{FLOOR - 34}" width="400" height="{434 - FLOOR}" fill="{floor}"/>'
        return (
            base + f'<path d="M0 {FLOOR - 22}q110-34 210-14t190-16V400H0z" fill="{floor}"/>'
            f'<circle cx="316" cy="98" r="44" fill="{shape}" opacity=".7"/>'
        )


_TINTS = {
    "nordic": ["#CFDAD9", "#E3DACB", "#D6DBE4", "#E8D8D0"],
    "coastal": ["#CFE2EA", "#F0E4CC", "#D3E6DF", "#F3DAD0"],
    "botanical": ["#DCE6CF", "#F3DDD6", "#EBE3C4", "#CFE0D4"],
    "industrial": ["#D4D4D0", "#E2D5C8", "#C9CFD3", "#E0D9C2"],
    "retro": ["#FBD9B4", "#C9E4DE", "#F7E3A8", "#F5CBBE"],
    "heritage": ["#E6DAC3", "#D5DED3", "#E3D2D4", "#D8D9E6"],
}

_LIGHT = (
    '<linearGradient id="round"><stop offset="0" stop-color="#fff" stop-opacity=".1"/>'
    '<stop offset=".22" stop-color="#fff" stop-opacity=".3"/><stop offset=".5" stop-color="#fff" stop-opacity="0"/>'
    '<stop offset="1" stop-color="#150d0a" stop-opacity=".3"/></linearGradient>'
    '<linearGradient id="flat" x2="1" y2="1"><stop offset="0" stop-color="#fff" stop-opacity=".16"/>'
    '<stop offset="1" stop-color="#150d0a" stop-opacity=".14"/></linearGradient>'
    '<radialGradient id="soft" cx=".36" cy=".3" r=".8"><stop offset="0" stop-color="#fff" stop-opacity=".34"/>'
    '<stop offset=".55" stop-color="#fff" stop-opacity="0"/><stop offset="1" stop-color="#150d0a" stop-opacity=".26"/>'
    '</radialGradient><radialGradient id="shadow"><stop offset="0" stop-color="#1b1512" stop-opacity=".34"/>'
    '<stop offset=".6" stop-color="#1b1512" stop-opacity=".16"/><stop offset="1" stop-color="#1b1512"'
    ' stop-opacity="0"/>'
    '</radialGradient><radialGradient id="glow"><stop offset="0" stop-color="#fff3c4" stop-opacity=".95"/>'
    '<stop offset="1" stop-color="#fff3c4" stop-opacity="0"/></radialGradient>'
)


def _opacity(value: float) -> str:
    return "" if value == 1.0 else f' opacity="{value:g}"'
