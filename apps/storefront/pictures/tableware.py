"""Mugs, teapots, plates, glasses and storage jars."""

from apps.storefront.pictures.canvas import FLOOR, Canvas, darker, lighter


def mug(c: Canvas) -> None:
    """Four forms: mug, tall mug, cappuccino cup, breakfast cup."""
    left, right, top, taper, round_ = [
        (112, 258, 158, 6, 34),
        (126, 246, 112, 4, 26),
        (96, 272, 190, 44, 60),
        (92, 262, 168, 26, 56),
    ][c.look.form % 4]
    middle, half = (left + right) / 2, (right - left) / 2
    if c.look.form % 4 == 2:
        c.shadow(middle, 128)
        c.ellipse(middle, FLOOR - 4, 126, 17, c.dark)
        c.ellipse(middle, FLOOR - 9, 126, 17, lighter(c.main, 0.18))
        c.ellipse(middle, FLOOR - 9, 62, 8, c.dark, 0.45)
        bottom = FLOOR - 10
    else:
        c.shadow(middle + 6, half + 26)
        bottom = FLOOR
    high = (top + bottom) / 2
    reach = right + (bottom - top) * 0.40
    c.line(
        f"M{right - 8} {top + 26}C{reach} {top + 14} {reach} {high + 42} {right - taper - 12} {high + 36}", c.dark, 19
    )
    c.line(
        f"M{right - 8} {top + 24}C{reach - 2} {top + 12} {reach - 2} {high + 39} {right - taper - 12} {high + 33}",
        c.main,
        12,
    )
    c.body(
        f"M{left} {top}L{left + taper} {bottom - round_}Q{left + taper + 2} {bottom} {left + taper + round_} {bottom}"
        f"H{right - taper - round_}Q{right - taper - 2} {bottom} {right - taper} {bottom - round_}L{right} {top}z"
    )
    c.ellipse(middle, top, half, half * 0.17, lighter(c.main, 0.4))
    c.ellipse(middle, top + 1.5, half - 6, half * 0.17 - 4, c.deep)
    drink = ["#6B3F24", "#8C5A2B", "#C79A6B", "#5A3521"][c.look.choose(4, "drink")]
    c.ellipse(middle, top + 5, half - 12, half * 0.17 - 7, drink)


def teapot(c: Canvas) -> None:
    """Three bellies: round, small and upright, wide."""
    rx, ry, y = [(96, 82, 238), (82, 78, 242), (112, 78, 242)][c.look.form % 3]
    x = 196.0
    c.shadow(x, rx + 26)
    c.line(f"M{x + rx - 14} {y - 40}C{x + rx + 76} {y - 62} {x + rx + 66} {y + 56} {x + rx - 10} {y + 34}", c.dark, 19)
    c.line(f"M{x + rx - 14} {y - 42}C{x + rx + 73} {y - 64} {x + rx + 63} {y + 53} {x + rx - 10} {y + 31}", c.main, 12)
    c.body(
        f"M{x - rx + 26} {y - 26}C{x - rx - 18} {y - 30} {x - rx - 32} {y - 66} {x - rx - 60} {y - 74}"
        f"q-12 2-10 11C{x - rx - 50} {y - 46} {x - rx - 42} {y + 34} {x - rx + 30} {y + 40}z",
        pattern=False,
        shade="flat",
    )
    c.body(
        f"M{x - 44} {y - ry + 8}C{x - rx - 6} {y - ry + 22} {x - rx - 8} {y + ry - 14} {x - 52} {FLOOR - 2}H{x + 52}"
        f"C{x + rx + 8} {y + ry - 14} {x + rx + 6} {y - ry + 22} {x + 44} {y - ry + 8}z"
    )
    c.box(x - 50, FLOOR - 6, 100, 8, 4, c.dark)
    c.body(
        f"M{x - 50} {y - ry + 12}Q{x} {y - ry - 38} {x + 50} {y - ry + 12}Q{x} {y - ry + 24} {x - 50} {y - ry + 12}z"
    )
    knob = c.look.wood if c.look.style in ("nordic", "botanical") else c.dark
    c.body(f"M{x - 13} {y - ry - 26}a13 12 0 0 1 26 0q0 8-6 11h-14q-6-3-6-11z", knob, pattern=False)


def plate(c: Canvas) -> None:
    """Seen from above; the rim carries the pattern. Serving plates are oval."""
    rx, ry = [(142, 142), (118, 118), (136, 136), (156, 116)][c.look.form % 4]
    c.ellipse(208, 214, rx + 4, ry + 4, "url(#shadow)")
    c.ellipse(208, 212, rx + 2, ry + 2, "#1b1512", 0.12)
    circle = f"M{200 - rx} 200a{rx} {ry} 0 1 0 {2 * rx} 0a{rx} {ry} 0 1 0 {-2 * rx} 0z"
    c.body(circle, shade="soft")
    c.add(
        f'<ellipse cx="200" cy="200" rx="{rx - 3}" ry="{ry - 3}" fill="none" stroke="{c.dark}"'
        ' stroke-width="3" opacity=".55"/>'
    )
    well = 0.64 if c.look.form % 4 != 2 else 0.74
    inner = lighter(c.main, 0.62) if c.look.choose(2, "well") else c.main
    c.ellipse(200, 201, rx * well + 3, ry * well + 3, c.dark, 0.35)
    c.ellipse(200, 200, rx * well, ry * well, inner)
    c.ellipse(200, 200, rx * well, ry * well, "url(#soft)")
    c.line(
        f"M{200 - rx * 0.45} {200 - ry * 0.3}Q{200 - rx * 0.3} {200 - ry * 0.5} 200 {200 - ry * 0.53}",
        "#FFFFFF",
        4,
        0.4,
    )


def glass(c: Canvas) -> None:
    """Tumbler, water glass, wine glass or highball; the colour is in the glass."""
    form = c.look.form % 4
    tint = c.main
    if form == 2:
        c.shadow(200, 62)
        c.ellipse(200, FLOOR - 3, 54, 9, darker(tint, 0.1), 0.55)
        c.ellipse(200, FLOOR - 6, 54, 9, lighter(tint, 0.45), 0.9)
        c.box(196, 226, 8, 92, 4, lighter(tint, 0.25), 0.95)
        outline = "M140 88C132 170 150 230 200 232C250 230 268 170 260 88z"
        drink = "M137 140C138 190 158 228 200 228C242 228 262 190 263 140z"
        c.fill(outline, tint, 0.34)
        c.fill(drink, "#8E2F4A" if c.look.choose(2, "wine") else "#E8D68B", 0.85)
        c.ellipse(200, 140, 63, 10, "#FFFFFF", 0.3)
        c.fill(outline, "url(#pattern)", 0.55)
        c.fill(outline, "url(#round)")
        c.ellipse(200, 88, 60, 9, lighter(tint, 0.6), 0.95)
        c.ellipse(200, 89, 55, 7, darker(tint, 0.2), 0.3)
        c.line("M156 112C152 150 158 182 172 204", "#FFFFFF", 6, 0.6)
        return
    half, top = [(70, 178), (62, 150), (0, 0), (50, 96)][form]
    base = half - 9
    c.shadow(200, half + 22)
    outline = (
        f"M{200 - half} {top}L{200 - base} {FLOOR - 10}Q200 {FLOOR + 10} {200 + base} {FLOOR - 10}L{200 + half} {top}z"
    )
    c.fill(outline, tint, 0.5)
    level = top + (FLOOR - top) * 0.34
    c.fill(
        f"M{200 - half + 6} {level}L{200 - base + 5} {FLOOR - 22}Q200 {FLOOR - 8} {200 + base - 5} {FLOOR - 22}"
        f"L{200 + half - 6} {level}z",
        lighter(tint, 0.3),
        0.8,
    )
    c.ellipse(200, level, half - 6, 9, lighter(tint, 0.65), 0.9)
    c.fill(outline, "url(#pattern)", 0.75)
    c.fill(outline, "url(#round)")
    c.ellipse(200, top, half, 11, lighter(tint, 0.62), 0.95)
    c.ellipse(200, top + 1, half - 5, 8, darker(tint, 0.15), 0.35)
    c.line(f"M{200 - half + 18} {top + 26}L{200 - base + 15} {FLOOR - 44}", "#FFFFFF", 7, 0.6)
    if form == 3:
        c.line(f"M214 {FLOOR - 60}L246 48", c.look.accent, 7)


def jar(c: Canvas) -> None:
    """A lidded jar with a wooden or ceramic lid; spice jars are small and come as a pair."""
    if c.look.form % 3 == 2:
        for x, size in ((150, 0.72), (258, 0.60)):
            _jar(c, x, size)
        return
    _jar(c, 200, 1.0 if c.look.form % 3 == 0 else 1.12)


def _jar(c: Canvas, x: float, size: float) -> None:
    half, top = 74 * size, FLOOR - 168 * size
    c.shadow(x, half + 22)
    c.body(
        f"M{x - half} {top + 22}Q{x - half} {top} {x - half + 20} {top}H{x + half - 20}Q{x + half} {top}"
        f" {x + half} {top + 22}"
        f"V{FLOOR - 18}Q{x + half} {FLOOR} {x + half - 22} {FLOOR}H{x - half + 22}Q{x - half} {FLOOR}"
        f" {x - half} {FLOOR - 18}z"
    )
    lid = c.look.wood if c.look.choose(3, "lid") else c.dark
    c.body(
        f"M{x - half + 6} {top + 4}V{top - 12 * size}q0-8 8-8H{x + half - 14}q8 0 8 8V{top + 4}z", lid, pattern=False
    )
    c.body(f"M{x - 14 * size} {top - 18 * size}a14 13 0 0 1 {28 * size} 0z", lid, pattern=False)
    c.box(x - half * 0.46, top + 58 * size, half * 0.92, 46 * size, 5, "#FBF8F1")
    c.box(x - half * 0.28, top + 73 * size, half * 0.56, 4 * size, 2, c.dark, 0.8)
    c.box(x - half * 0.18, top + 85 * size, half * 0.36, 4 * size, 2, c.dark, 0.5)
