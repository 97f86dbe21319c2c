"""One pattern for each style, in two or three versions: what covers the products of that style."""

from typing import Protocol


class HasStyle(Protocol):
    """The part of a look that a pattern depends on."""

    @property
    def style(self) -> str: ...
    def choose(self, options: int, salt: str) -> int: ...


def pattern_svg(look: HasStyle, ink: str) -> str:
    """The `<pattern id="pattern">` of the look's style, in the colour `ink`."""
    versions = _PATTERNS[look.style]
    width, height, drawing = versions[look.choose(len(versions), "pattern")]
    return (
        f'<pattern id="pattern" width="{width}" height="{height}" patternUnits="userSpaceOnUse">'
        f'<g fill="{ink}" stroke="{ink}" stroke-width="0">{drawing}</g></pattern>'
    )


def _dots(*places: tuple[float, float, float]) -> str:
    return "".join(f'<circle cx="{x}" cy="{y}" r="{r}"/>' for x, y, r in places)


_LEAF = "M0 0C7-9 19-9 25 0 19 9 7 9 0 0z"
_SPRIG = (
    '<path d="M22 52C24 36 24 22 22 6" fill="none" stroke-width="1.8"/>'
    '<path d="M23 20c8-2 13-8 14-14-8 1-13 6-14 14zM23 34c8-2 14-8 15-14-9 1-14 6-15 14zM23'
    " 28c-8-2-13-8-14-14 8 1 13 6 14 14z"
    'M23 42c-8-2-14-8-15-14 9 1 14 6 15 14z"/>'
)

_PATTERNS: dict[str, list[tuple[int, int, str]]] = {
    "nordic": [
        (
            46,
            46,
            '<g opacity=".55">'
            + _dots(
                (6, 8, 1.6),
                (21, 4, 1),
                (36, 12, 2),
                (14, 24, 1.2),
                (30, 30, 1.5),
                (42, 38, 1),
                (5, 40, 1.9),
                (22, 42, 1),
            )
            + "</g>",
        ),
        (12, 12, '<path d="M6 0V12" stroke-width="1.3" opacity=".5"/>'),
        (34, 34, '<g opacity=".6"><path d="M17 11v12M11 17h12" stroke-width="2.2" stroke-linecap="round"/></g>'),
    ],
    "coastal": [
        (40, 30, '<path d="M0 5H40V14H0z" opacity=".6"/>'),
        (40, 22, '<path d="M0 14q10-12 20 0t20 0" fill="none" stroke-width="3" opacity=".55"/>'),
        (40, 46, '<path d="M0 4H40V20H0zM0 28H40V32H0z" opacity=".5"/>'),
    ],
    "botanical": [
        (46, 60, f'<g opacity=".62">{_SPRIG}</g>'),
        (
            60,
            54,
            (
                f'<g opacity=".55"><path d="{_LEAF}" transform="translate(6 14) rotate(-28)"/>'
                f'<path d="{_LEAF}" transform="translate(34 42) rotate(24)"/></g>'
            ),
        ),
        (
            44,
            44,
            '<g opacity=".6">'
            + _dots((22, 14, 5), (30, 20, 5), (27, 29, 5), (17, 29, 5), (14, 20, 5))
            + '</g><circle cx="22" cy="22.5" r="4" fill="#fff" opacity=".55"/>',
        ),
    ],
    "industrial": [
        (26, 26, '<path d="M26 0H0V26" fill="none" stroke-width="1.4" opacity=".34"/>'),
        (14, 14, '<path d="M-2 2L2-2M0 14L14 0M12 16L16 12" stroke-width="1.6" opacity=".28"/>'),
        (60, 60, '<path d="M0 30H60" stroke-width="10" opacity=".22"/>'),
    ],
    "retro": [
        (
            56,
            56,
            (
                '<g fill="none"><circle cx="28" cy="28" r="21" stroke-width="7" opacity=".6"/></g>'
                '<circle cx="28" cy="28" r="9" opacity=".75"/>'
            ),
        ),
        (48, 24, '<path d="M0 24a24 24 0 0 1 48 0h-9a15 15 0 0 0-30 0z" opacity=".62"/>'),
        (44, 44, '<path d="M0 0H22V22H0zM22 22H44V44H22z" opacity=".42"/>'),
    ],
    "heritage": [
        (32, 32, '<path d="M0 0H16V32H0z" opacity=".3"/><path d="M0 0H32V16H0z" opacity=".3"/>'),
        (
            34,
            34,
            (
                '<path d="M17 3L31 17 17 31 3 17z" fill="none" stroke-width="1.8" opacity=".6"/>'
                '<circle cx="17" cy="17" r="3" opacity=".6"/>'
            ),
        ),
        (
            24,
            40,
            '<path d="M12 0V40" stroke-width="5" opacity=".3"/><path d="M20 0V40" stroke-width="1.2" opacity=".6"/>',
        ),
    ],
}
