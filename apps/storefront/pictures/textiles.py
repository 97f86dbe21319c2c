"""Cushions, throws, rugs, towels, aprons and bags."""

from apps.storefront.pictures.canvas import FLOOR, Canvas, darker, lighter


def cushion(c: Canvas) -> None:
    """Square, square with piping, or long."""
    w, h = [(118, 116), (124, 122), (148, 84)][c.look.form % 3]
    x, y = 200, FLOOR - h + 6
    c.shadow(x, w + 14)
    path = (
        f"M{x - w} {y - h + 4}C{x - w * 0.5} {y - h + 20} {x + w * 0.5} {y - h + 20} {x + w} {y - h + 4}"
        f"C{x + w - 16} {y - h * 0.4} {x + w - 16} {y + h * 0.4} {x + w} {y + h - 8}"
        f"C{x + w * 0.5} {y + h - 22} {x - w * 0.5} {y + h - 22} {x - w} {y + h - 8}"
        f"C{x - w + 16} {y + h * 0.4} {x - w + 16} {y - h * 0.4} {x - w} {y - h + 4}z"
    )
    c.body(path, shade="soft")
    c.line(path, c.look.accent if c.look.form % 3 == 1 else c.dark, 5 if c.look.form % 3 == 1 else 2.5, 0.85)
    c.line(f"M{x - w + 16} {y - h + 24}q18 10 26 30M{x + w - 16} {y - h + 24}q-18 10-26 30", c.deep, 3, 0.22)
    if c.look.style in ("heritage", "coastal") and c.look.choose(2, "tassels"):
        for cx, cy in ((x - w, y - h + 4), (x + w, y - h + 4), (x - w, y + h - 8), (x + w, y + h - 8)):
            c.ellipse(cx, cy, 7, 7, c.look.accent)
            c.fill(f"M{cx - 6} {cy + 4}h12l5 24h-22z", c.look.accent)


def throw(c: Canvas) -> None:
    """Folded over a rail, or stacked; fringed ones show it."""
    if c.look.choose(2, "hang"):
        c.line("M54 82H346", c.look.wood, 12)
        c.line("M54 79H346", lighter(c.look.wood, 0.4), 3, 0.7)
        c.add('<path d="M122 92h176v220H122z" fill="#1b1512" opacity=".13"/>')
        c.body("M106 74Q106 68 114 68H286Q294 68 294 74V296H106z", shade="flat")
        for x in (148, 196, 240):
            c.fill(f"M{x} 74q10 110-2 222h16q6-120-2-222z", c.deep, 0.12)
        c.body("M106 74Q106 68 114 68H286Q294 68 294 74V196q-94 14-188 0z", lighter(c.main, 0.12), shade="flat")
        _fringe(c, 106, 294, 296)
        return
    c.shadow(200, 158)
    for i, (y, w) in enumerate(((FLOOR - 50, 146), (FLOOR - 100, 140), (FLOOR - 146, 132))):
        colour = (c.main, lighter(c.main, 0.14), c.main)[i]
        c.body(
            f"M{200 - w} {y + 26}a25 25 0 0 1 25-25H{200 + w - 10}q12 0 12 12v24q0 13-12 13H{200 - w + 25}a25"
            " 25 0 0 1-25-24z",
            colour,
        )
        c.line(f"M{200 - w + 12} {y + 26}H{200 + w}", c.deep, 2.5, 0.35)
    _fringe(c, 92, 184, FLOOR - 2 - 144 + 44, short=True)


def _fringe(c: Canvas, left: int, right: int, y: int, short: bool = False) -> None:
    length = 16 if short else 24
    strands = "".join(f"M{x} {y}l{-2 if x % 3 else 2} {length}" for x in range(left + 4, right, 9))
    c.line(strands, c.ink if c.look.form % 3 == 2 else c.dark, 3.4)


def rug(c: Canvas) -> None:
    """Lying on the floor in perspective, or rolled out towards you; runners are narrow, hearth rugs half round."""
    form = c.look.form % 3
    if form == 2:
        path, inner = (
            "M50 300C50 170 130 118 200 118S350 170 350 300z",
            "M82 284C84 190 142 144 200 144S316 190 318 284z",
        )
        c.fill("M50 304C50 174 130 122 200 122S350 174 350 304v8H50z", c.deep, 0.4)
    else:
        left, right = (92, 308) if form == 0 else (140, 260)
        top, bottom = (110, 316) if form == 0 else (60, 336)
        spread = 46 if form == 0 else 40
        path = f"M{left} {top}H{right}L{right + spread} {bottom}H{left - spread}z"
        inner = f"M{left + 16} {top + 14}H{right - 16}L{right + spread - 26} {bottom - 20}H{left - spread + 26}z"
        c.fill(f"M{left - spread} {bottom}H{right + spread}v9H{left - spread}z", c.deep, 0.45)
        strands = "".join(f"M{x} {bottom + 4}v15" for x in range(left - spread + 6, right + spread, 10))
        back = "".join(f"M{x} {top}v-8" for x in range(left + 4, right, 8))
        c.line(strands + back, lighter(c.main, 0.5), 3.2)
    c.fill(path, c.look.accent)
    c.fill(path, "url(#flat)")
    c.body(inner, shade="flat")
    c.line(inner, lighter(c.main, 0.6), 3, 0.7)
    if form == 0 and c.look.choose(2, "medallion"):
        c.fill("M200 152L262 216 200 282 138 216z", c.look.accent, 0.9)
        c.fill("M200 176L238 216 200 258 162 216z", lighter(c.main, 0.55))


def towel(c: Canvas) -> None:
    """Bath towels are stacked, the others hang from a peg rail."""
    if c.look.form % 3 == 0:
        c.shadow(200, 140)
        colours = (c.main, lighter(c.main, 0.35), c.main, c.look.accent)
        for i, y in enumerate((FLOOR - 44, FLOOR - 88, FLOOR - 132, FLOOR - 172)[: 3 + c.look.choose(2, "stack")]):
            inset = i * 5
            c.body(
                f"M{74 + inset} {y + 22}a22 22 0 0 1 22-22H{318 - inset}q10 0 10 10v24q0 10-10 10H{96 + inset}a22"
                " 22 0 0 1-22-22z",
                colours[i],
                pattern=i % 2 == 0,
            )
            c.line(f"M{84 + inset} {y + 22}H{326 - inset}", darker(colours[i], 0.5), 2.5, 0.35)
        return
    c.box(52, 70, 296, 16, 4, c.look.wood)
    c.box(52, 70, 296, 5, 3, lighter(c.look.wood, 0.4), 0.7)
    for x in (104, 200, 296):
        c.ellipse(x, 88, 9, 9, darker(c.look.wood, 0.25))
    c.line("M200 92l-10 18h20z", c.dark, 4)
    c.add('<path d="M130 116H290V316H130z" fill="#1b1512" opacity=".12"/>')
    c.body("M196 104C150 112 124 122 118 132V308q82 12 164 0V132C276 122 250 112 204 104z", shade="flat")
    for x in (150, 184, 222, 254):
        c.fill(f"M200 108Q{x} 180 {x - 4} 310h12Q{x + 6} 180 200 108z", c.deep, 0.1)
    for y in (268, 284):
        c.line(f"M118 {y}q82 12 164 0", c.ink, 6, 0.9)


def apron(c: Canvas) -> None:
    """On a peg, with a pocket; half aprons have no bib."""
    half = c.look.form % 3 == 2
    c.box(60, 48, 280, 14, 4, c.look.wood)
    for x in (110, 290) if half else (200,):
        c.ellipse(x, 66, 9, 9, darker(c.look.wood, 0.3))
    if half:
        c.line("M118 130Q104 90 110 66M282 130Q296 90 290 66", c.dark, 8)
        c.body("M100 126H300L312 306q-112 18-224 0z", shade="flat")
        c.box(100, 122, 200, 20, 4, c.dark)
    else:
        c.line("M160 124Q164 66 200 64Q236 66 240 124", c.dark, 8)
        c.line("M112 206Q72 216 62 262M288 206Q328 216 338 262", c.dark, 8)
        c.body("M150 116H250Q252 170 296 196L304 320q-104 18-208 0L104 196Q148 170 150 116z", shade="flat")
        c.box(150, 112, 100, 16, 4, c.dark)
        if c.look.form % 3 == 1:
            c.line("M152 120L112 206M248 120L288 206", c.dark, 7)
    y = 206 if half else 224
    c.body(f"M146 {y}H254V{y + 56}q0 14-14 14H160q-14 0-14-14z", lighter(c.main, 0.14), pattern=False, shade="flat")
    c.add(
        f'<path d="M152 {y + 6}H248V{y + 54}q0 10-10 10H162q-10 0-10-10z" fill="none" stroke="{c.ink}"'
        ' stroke-width="2" '
        'stroke-dasharray="6 5"/>'
    )
    for x in (180, 216, 156, 244):
        c.fill(f"M{x} {y + 70}q-4 20-2 36h6q0-18-4-36z", c.deep, 0.16)


def bag(c: Canvas) -> None:
    """Tote, weekend bag or shoulder bag."""
    form = c.look.form % 3
    strap = "#8A5A36" if c.look.style in ("heritage", "industrial", "nordic") else c.dark
    if form == 0:
        c.shadow(200, 116)
        c.line("M152 162C152 40 248 40 248 162", darker(strap, 0.25), 13)
        c.body(f"M104 150H296L308 {FLOOR - 8}q0 8-8 8H100q-8 0-8-8z", shade="flat")
        c.line("M140 188V150C140 22 260 22 260 150V188", strap, 13)
        c.box(132, 184, 17, 26, 3, strap)
        c.box(252, 184, 17, 26, 3, strap)
        c.line("M104 158H296", c.deep, 2.5, 0.4)
    elif form == 1:
        c.shadow(200, 156)
        c.line("M150 196C150 84 250 84 250 196", strap, 13)
        c.body(
            f"M70 196Q70 176 96 176H304Q330 176 330 196L338 {FLOOR - 22}Q338 {FLOOR} 314 {FLOOR}H86Q62 {FLOOR}"
            f" 62 {FLOOR - 22}z"
        )
        for x in (142, 242):
            c.box(x, 176, 17, FLOOR - 176, 2, strap)
            c.box(x - 2, 228, 21, 15, 3, "#D9B765")
        c.line("M76 192H324", c.deep, 4, 0.5)
    else:
        c.shadow(200, 118)
        c.line("M98 196C90 16 310 16 302 196", strap, 11)
        c.body(f"M86 178H314L322 {FLOOR - 30}Q322 {FLOOR} 292 {FLOOR}H108Q78 {FLOOR} 78 {FLOOR - 30}z")
        c.body("M86 172H314V226Q314 262 276 262H124Q86 262 86 226z", lighter(c.main, 0.1), shade="flat")
        c.line("M88 228Q90 260 124 260H276Q310 260 312 228", c.deep, 2.5, 0.4)
        c.box(182, 238, 36, 40, 6, strap)
        c.ellipse(200, 264, 6, 6, "#D9B765")
