"""Candles, lamps, soaps, boards, chairs, stools, baskets, notebooks, and a parcel for anything else."""

from apps.storefront.pictures.canvas import FLOOR, METALS, Canvas, darker, lighter


def candle(c: Canvas) -> None:
    """In a glass, in a travel tin, or with three wicks."""
    form = c.look.form % 3
    half, top = [(70, 176), (84, 232), (116, 204)][form]
    c.shadow(200, half + 28)
    for x in {0: (200,), 1: (200,), 2: (146, 200, 254)}[form]:
        c.ellipse(x, top - 32, 62, 62, "url(#glow)")
    colour = "#C9CCCB" if form == 1 and c.look.style in ("industrial", "nordic") else c.main
    c.body(
        f"M{200 - half} {top}V{FLOOR - 18}Q{200 - half} {FLOOR} {218 - half} {FLOOR}H{182 + half}"
        f"Q{200 + half} {FLOOR} {200 + half} {FLOOR - 18}V{top}z",
        colour,
    )
    c.ellipse(200, top, half, half * 0.15, lighter(colour, 0.5))
    c.ellipse(200, top + 1, half - 6, half * 0.15 - 3, "#FFF4DC")
    for x in {0: (200,), 1: (200,), 2: (146, 200, 254)}[form]:
        c.line(f"M{x} {top + 2}v-14", "#3B2A20", 4)
        c.fill(f"M{x} {top - 52}c16 20 14 40 0 42c-14-2-16-20 0-42z", "#F6A932")
        c.fill(f"M{x} {top - 36}c8 12 7 24 0 25c-7-1-8-12 0-25z", "#FFF0B8")
    height = FLOOR - top
    c.box(200 - half * 0.52, top + height * 0.3, half * 1.04, height * 0.46, 4, "#FBF8F1")
    c.box(200 - half * 0.3, top + height * 0.43, half * 0.6, 5, 2, darker(c.main, 0.35), 0.9)
    c.box(200 - half * 0.2, top + height * 0.55, half * 0.4, 4, 2, darker(c.main, 0.35), 0.5)


def soap(c: Canvas) -> None:
    """A bar with its band, a pump bottle, or a stack of blocks."""
    form = c.look.form % 3
    if form == 1:
        c.shadow(200, 88)
        c.body(
            f"M138 190Q138 166 166 164H234Q262 166 262 190V{FLOOR - 16}Q262 {FLOOR} 246 {FLOOR}H154Q138"
            f" {FLOOR} 138 {FLOOR - 16}z",
            pattern=False,
        )
        c.box(178, 136, 44, 30, 5, c.deep)
        c.box(194, 100, 12, 40, 2, c.deep)
        c.fill("M150 88h72q10 0 10 10v8H194l-44 4q-10-12 0-22z", c.deep)
        c.body("M146 204H254V296H146z", "#FBF8F1", pattern=False, shade="flat")
        c.fill("M146 204H254V230H146z", c.main)
        c.fill("M146 204H254V230H146z", "url(#pattern)")
        c.box(166, 250, 68, 6, 3, c.dark)
        c.box(178, 266, 44, 5, 2, c.dark, 0.5)
        return
    c.shadow(200, 140)
    if c.look.choose(2, "dish"):
        c.fill(f"M66 {FLOOR - 22}H334L314 {FLOOR}H86z", c.look.wood)
        c.box(60, FLOOR - 28, 280, 10, 5, lighter(c.look.wood, 0.2))
        base = FLOOR - 28
    else:
        base = FLOOR
    blocks = ((200, base - 84, 112),) if form == 0 else ((190, base - 66, 108), (214, base - 132, 92))
    for i, (x, y, half) in enumerate(blocks):
        colour = c.main if i == 0 else lighter(c.main, 0.35)
        tall = base - y if i == 0 else 66
        c.body(
            f"M{x - half} {y + 16}Q{x - half} {y} {x - half + 18} {y}H{x + half - 18}Q{x + half} {y}"
            f" {x + half} {y + 16}V{y + tall - 14}Q{x + half} {y + tall} {x + half - 18} {y + tall}"
            f"H{x - half + 18}Q{x - half} {y + tall} {x - half} {y + tall - 14}z",
            colour,
            pattern=False,
        )
        c.ellipse(x, y + 9, half - 16, 6, "#FFFFFF", 0.35)
    x, y, _ = blocks[0]
    tall = base - y
    c.body(f"M{x - 52} {y}H{x + 52}V{base}H{x - 52}z", "#FBF8F1", pattern=False, shade="flat")
    c.fill(f"M{x - 52} {y + tall * 0.16}H{x + 52}V{y + tall * 0.36}H{x - 52}z", c.dark)
    c.box(x - 30, y + tall * 0.52, 60, 5, 2, c.dark, 0.8)
    c.box(x - 20, y + tall * 0.68, 40, 4, 2, c.dark, 0.5)


def lamp(c: Canvas) -> None:
    """Table lamp, bedside lamp or desk lamp, switched on."""
    form = c.look.form % 3
    if form == 2:
        metal = c.main
        c.shadow(170, 84)
        c.body(f"M104 {FLOOR}q0-20 24-20h84q24 0 24 20z", metal, pattern=False)
        c.line(f"M170 {FLOOR - 18}L124 204L226 84", darker(metal, 0.25), 10)
        c.ellipse(124, 204, 12, 12, c.look.accent)
        c.add('<path d="M176 152L262 86 352 316Q250 336 150 316z" fill="#fff3c4" opacity=".38"/>')
        c.add('<g transform="rotate(-8 236 112)">')
        c.body("M196 122C196 72 276 72 276 122L290 158H182z", metal)
        c.ellipse(236, 158, 54, 11, "#FFF2C2")
        c.add("</g>")
        return
    small = form == 1
    shade_top, shade_bottom, half_top, half_bottom = (94, 196, 52, 92) if small else (62, 176, 54, 108)
    c.shadow(200, 92)
    c.ellipse(200, shade_bottom + 6, 170, 120, "url(#glow)")
    base = c.look.wood if c.look.material == "oak" else c.main
    if c.look.choose(2, "base"):
        c.body(
            f"M190 {shade_bottom}H210C212 226 262 238 258 280C256 306 240 {FLOOR} 226 {FLOOR}H174C160 {FLOOR}"
            f" 144 306 142 280C138 238 188 226 190 {shade_bottom}z",
            base,
            pattern=c.look.material == "ceramic",
        )
    else:
        c.body(f"M193 {shade_bottom - 8}H207V{FLOOR - 14}H193z", base, pattern=False)
        c.body(f"M142 {FLOOR}q0-18 22-18H236q22 0 22 18z", base, pattern=False)
        c.ellipse(200, (shade_bottom + FLOOR) / 2, 20, 20, base)
        c.ellipse(200, (shade_bottom + FLOOR) / 2, 20, 20, "url(#soft)")
    cloth = lighter(c.main, 0.72) if base == c.main else c.main
    dome = f"M{200 - half_top} {shade_top}H{200 + half_top}L{200 + half_bottom} {shade_bottom}H{200 - half_bottom}z"
    if c.look.style == "retro":
        dome = (
            f"M{200 - half_bottom} {shade_bottom}C{200 - half_bottom} {shade_top - 32} {200 + half_bottom}"
            f" {shade_top - 32} {200 + half_bottom} {shade_bottom}z"
        )
    c.body(dome, cloth, pattern=base != c.main, shade="flat")
    c.fill(dome, "#FFE9A8", 0.32)
    c.ellipse(200, shade_bottom, half_bottom, 9, "#FFF2C2")
    c.line(f"M230 {shade_bottom + 8}v34", darker(base, 0.4), 2)
    c.ellipse(230, shade_bottom + 46, 5, 5, darker(base, 0.4))


def board(c: Canvas) -> None:
    """Leaning against the wall: rectangular, round with a handle, or long."""
    wood, form = c.look.wood, c.look.form % 3
    c.shadow(206, 112)
    if form == 0:
        path = "M112 88Q112 66 134 66H266Q288 66 288 88V300Q288 322 266 322H134Q112 322 112 300z"
        hole = (200, 94)
    elif form == 1:
        path = (
            "M186 40H214Q224 40 224 52V98C288 110 318 158 318 210C318 276 264 322 200 322S82 276 82 210C82"
            " 158 112 110 176 98V52Q176 40 186 40z"
        )
        hole = (200, 62)
    else:
        path = (
            "M180 34H220Q228 34 228 44V112Q284 116 284 150V292Q284 322 254 322H146Q116 322 116 292V150Q116"
            " 116 172 112V44Q172 34 180 34z"
        )
        hole = (200, 58)
    c.add(f'<path d="{path}" transform="translate(9 3)" fill="{darker(wood, 0.45)}"/>')
    c.body(path, wood, pattern=False, shade="flat")
    c.add(
        f'<clipPath id="board"><path d="{path}"/></clipPath><g clip-path="url(#board)" fill="none"'
        f' stroke="{darker(wood, 0.3)}" stroke-width="2" opacity=".5">'
    )
    for i, x in enumerate(range(70, 340, 21)):
        bend = c.look.choose(26, f"grain{i}") - 13
        c.add(f'<path d="M{x} 20C{x + bend} 120 {x - bend} 220 {x + bend // 2} 330"/>')
    c.add("</g>")
    c.add(
        f'<g clip-path="url(#board)"><path d="M60 278H340V302H60z" fill="{c.main}"/><path d="M60 306H340'
        f'V311H60z" fill="{c.main}"/></g>'
    )
    c.ellipse(*hole, 9, 9, darker(wood, 0.6))
    c.line(f"M{hole[0]} {hole[1]}q-26-8-20-34q20-12 24 30", c.main, 5)


def chair(c: Canvas) -> None:
    """Dining chair, side chair or armchair, with a seat in the item's colour."""
    wood, form = c.look.wood, c.look.form % 3
    shade = darker(wood, 0.3)
    c.shadow(200, 118, FLOOR + 6)
    if form == 2:
        for x, lean in ((122, -10), (278, 10)):
            c.fill(f"M{x - 7} 270H{x + 7}L{x + lean + 4} {FLOOR + 8}H{x + lean - 4}z", wood)
        c.body("M112 96Q112 66 142 66H258Q288 66 288 96V226H112z", c.main, shade="flat")
        c.body(
            "M104 216Q104 206 118 206H282Q296 206 296 216V262Q296 278 280 278H120Q104 278 104 262z",
            lighter(c.main, 0.12),
        )
        for x in (78, 288):
            c.body(
                f"M{x} 176Q{x} 160 {x + 17} 160T{x + 34} 176V264Q{x + 34} 282 {x + 17} 282T{x} 264z",
                c.dark,
                pattern=False,
            )
        return
    for x, lean in ((140, 6), (260, -6)):
        c.line(f"M{x} 226L{x + lean} {FLOOR}", shade, 11)
    if form == 0:
        c.line(f"M132 52L126 {FLOOR + 8}M268 52L274 {FLOOR + 8}", wood, 13)
        c.body("M124 50Q200 32 276 50V92Q200 76 124 92z", wood, pattern=False, shade="flat")
        for x in (158, 186, 214, 242):
            c.line(f"M{x} 86V214", wood, 8)
    else:
        c.line(f"M122 226L112 {FLOOR + 8}M278 226L288 {FLOOR + 8}", wood, 13)
        c.line("M126 220C112 20 288 20 274 220", wood, 14)
        c.line("M200 76V210M166 84V210M234 84V210", wood, 7)
    c.body("M108 212Q200 196 292 212L304 236Q304 250 290 250H110Q96 250 96 236z", c.main, shade="flat")
    c.box(104, 244, 192, 10, 5, shade)


def stool(c: Canvas) -> None:
    """Low, bar height, or a step stool."""
    wood, form = c.look.wood, c.look.form % 3
    c.shadow(200, 112, FLOOR + 6)
    if form == 2:
        c.body(f"M106 176H132V{FLOOR + 6}H106zM268 176H294V{FLOOR + 6}H268z", wood, pattern=False, shade="flat")
        c.body("M66 246H334V270H66z", lighter(wood, 0.12), pattern=False)
        c.body(f"M72 268H98V{FLOOR + 6}H72zM302 268H328V{FLOOR + 6}H302z", wood, pattern=False, shade="flat")
        c.body("M92 156Q92 146 102 146H298Q308 146 308 156V180H92z")
        return
    top = 186 if form == 0 else 92
    spread = 26 if form == 0 else 34
    shade = darker(wood, 0.3)
    c.line(f"M166 {top + 22}L{166 - spread // 2} {FLOOR - 6}M234 {top + 22}L{234 + spread // 2} {FLOOR - 6}", shade, 11)
    rung = top + (FLOOR - top) * 0.62
    c.line(f"M{128 - spread * 0.3} {rung}H{272 + spread * 0.3}", shade, 8)
    c.line(f"M136 {top + 22}L{136 - spread} {FLOOR + 8}M264 {top + 22}L{264 + spread} {FLOOR + 8}", wood, 14)
    c.body(f"M100 {top}H300V{top + 16}Q300 {top + 34} 200 {top + 34}T100 {top + 16}z")
    c.ellipse(200, top, 100, 20, lighter(c.main, 0.16))
    c.ellipse(200, top, 100, 20, "url(#pattern)")
    c.ellipse(200, top, 100, 20, "url(#soft)")


def basket(c: Canvas) -> None:
    """Round with handles, tall for laundry, or a square one; woven, with a band of colour."""
    form = c.look.form % 3
    straw = {"seagrass": "#CDB68A", "willow": "#BE8F5B", "rattan": "#D9B57F"}.get(c.look.material, "#CDB68A")
    left, right, top, inset = [(92, 308, 190, 26), (112, 288, 116, 12), (88, 312, 176, 6)][form]
    c.shadow(200, (right - left) / 2 + 14)
    if form == 0:
        c.line(f"M{left + 44} {top + 6}C{left + 46} 64 {right - 46} 64 {right - 44} {top + 6}", darker(straw, 0.2), 13)
        c.line(f"M{left + 44} {top + 4}C{left + 46} 60 {right - 46} 60 {right - 44} {top + 4}", lighter(straw, 0.15), 6)
    path = (
        f"M{left} {top}L{left + inset} {FLOOR - 18}Q{left + inset + 4} {FLOOR} {left + inset + 24} {FLOOR}"
        f"H{right - inset - 24}Q{right - inset - 4} {FLOOR} {right - inset} {FLOOR - 18}L{right} {top}z"
    )
    c.ellipse(200, top, (right - left) / 2, 18, darker(straw, 0.55))
    if c.look.choose(2, "linen"):
        c.fill(f"M{left + 20} {top}Q{left + 60} {top - 44} 190 {top - 16}T{right - 22} {top}z", lighter(c.main, 0.55))
    c.fill(path, straw)
    c.add(f'<clipPath id="basket"><path d="{path}"/></clipPath><g clip-path="url(#basket)">')
    for row, y in enumerate(range(top + 2, FLOOR, 13)):
        share = (y - top) / (FLOOR - top)
        colour = c.main if 0.34 < share < 0.68 else straw
        for x in range(left - 14 + (row % 2) * 13, right + 14, 26):
            c.box(x, y, 24, 11, 5, lighter(colour, 0.16) if row % 2 else darker(colour, 0.1))
    c.add("</g>")
    c.fill(path, "url(#round)")
    c.line(f"M{left} {top}Q200 {top + 34} {right} {top}", darker(straw, 0.12), 10)
    c.line(f"M{left} {top - 2}Q200 {top + 30} {right} {top - 2}", lighter(straw, 0.25), 4)
    if form == 1:
        for x in (left - 2, right - 20):
            c.line(f"M{x} {top + 40}q11 26 22 0", "#8A5A36", 8)
    if form == 2 and c.look.style in ("heritage", "industrial"):
        for x in (132, 252):
            c.box(x, top + 4, 16, FLOOR - top - 10, 2, "#8A5A36")
            c.box(x - 2, top + 44, 20, 14, 3, METALS["brass"])


def notebook(c: Canvas) -> None:
    """One standing at an angle, with a second one or a pencil beside it."""
    form = c.look.form % 3
    w, h = [(158, 214), (128, 178), (168, 226)][form]
    if c.look.choose(2, "pair"):
        c.add('<g transform="rotate(9 214 220)">')
        c.box(140, 90, w, h, 8, "#1b1512", 0.14)
        c.box(132, 84, w, h, 8, c.look.accent)
        c.box(132, 84, w, h, 8, "url(#flat)")
        c.add("</g>")
    x, y = 200 - w / 2, 204 - h / 2
    c.add(
        f'<g transform="rotate(-6 200 204)"><rect x="{x + 10}" y="{y + 13}" width="{w}" height="{h}"'
        ' rx="8" fill="#1b1512" opacity=".2"/>'
    )
    c.box(x + 5, y + 5, w, h, 6, "#F7F2E7")
    c.line(f"M{x + w + 2} {y + 12}V{y + h - 2}", "#CFC7B6", 1.5)
    c.body(f"M{x} {y + 8}q0-8 8-8H{x + w - 8}q8 0 8 8V{y + h - 8}q0 8-8 8H{x + 8}q-8 0-8-8z", shade="flat")
    c.box(x, y, 24, h, 7, c.deep, 0.55)
    c.box(x + w * 0.34, y + h * 0.2, w * 0.48, h * 0.2, 4, "#FBF8F1")
    c.box(x + w * 0.42, y + h * 0.26, w * 0.32, 5, 2, c.dark)
    c.box(x + w * 0.47, y + h * 0.31, w * 0.22, 4, 2, c.dark, 0.5)
    if form != 1:
        c.box(x + w - 28, y, 8, h, 0, c.look.accent)
    c.add("</g>")
    if not c.look.choose(2, "pair"):
        c.add(
            '<g transform="rotate(24 320 250)"><rect x="313" y="150" width="14" height="150" fill="#EBB03C"/>'
            '<rect x="320" y="150" width="7" height="150" fill="#C98F24"/><path d="M313 300h14l-7 24z" fill="#F1DDB6"/>'
            '<path d="M317.500 315h5l-2.500 9z" fill="#2A2522"/><rect x="313" y="138" width="14" height="14"'
            ' fill="#D98C86"/></g>'
        )


def parcel(c: Canvas) -> None:
    """For products of a kind this shop does not know: a parcel with a ribbon in their colour."""
    c.shadow(200, 128)
    c.body(f"M92 176H308V{FLOOR}H92z", "#D9B98C", pattern=False)
    c.body("M82 140H318V180H82z", "#E4C79D", pattern=False)
    c.fill(f"M182 140H218V{FLOOR}H182z", c.main)
    c.line("M200 140C150 60 108 108 200 140C292 108 250 60 200 140", c.main, 12)
