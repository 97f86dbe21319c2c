"""Vases, planters, clocks, mirrors and prints."""

import math

from apps.storefront.pictures.canvas import FLOOR, METALS, Canvas, darker, lighter, mix

GREENS = ("#4F7B4A", "#6C8F4E", "#3F6B55", "#86A15B")


def vase(c: Canvas) -> None:
    """Four silhouettes, with or without a stem or two."""
    form = c.look.form % 4
    x = 200
    if form == 0:
        path, mouth, top = (
            (
                "M172 178C176 204 120 222 124 268C128 306 152 322 172 322H228C248 322 272 306 276 268C280 222 224"
                " 204 228 178z"
            ),
            28,
            178,
        )
    elif form == 1:
        path, mouth, top = (
            (
                "M186 214C188 232 146 244 148 280C150 308 168 322 182 322H218C232 322 250 308 252 280C254 244 212"
                " 232 214 214z"
            ),
            14,
            214,
        )
    elif form == 2:
        path, mouth, top = (
            (
                "M184 132C186 178 188 190 160 214C134 238 138 322 164 322H236C262 322 266 238 240 214C212 190 214"
                " 178 216 132z"
            ),
            16,
            132,
        )
    else:
        path, mouth, top = "M158 140C150 200 152 270 164 322H236C248 270 250 200 242 140z", 42, 140
    c.shadow(x, 92)
    if c.look.choose(4, "stems"):
        _stems(c, x, top)
    c.body(path)
    c.ellipse(x, top, mouth, mouth * 0.22 + 2, lighter(c.main, 0.35))
    c.ellipse(x, top + 1, mouth - 4, mouth * 0.22 - 1 if mouth > 16 else 2, c.deep)


def _stems(c: Canvas, x: float, top: float) -> None:
    green = GREENS[c.look.choose(4, "green")]
    bloom = ["#E9A7A0", "#F0C75E", "#F7F1E6", "#D9694A"][c.look.choose(4, "bloom")]
    for lean, height in ((-34, 96), (8, 118), (40, 84))[: 1 + c.look.choose(3, "count")]:
        tip_x, tip_y = x + lean, max(top - height, 34)
        c.line(f"M{x} {top + 6}Q{x + lean * 0.1} {top - height * 0.6} {tip_x} {tip_y}", green, 4)
        if c.look.choose(2, "flower"):
            for turn in range(6):
                angle = turn * math.pi / 3
                c.ellipse(
                    round(tip_x + 11 * math.cos(angle), 1), round(tip_y + 11 * math.sin(angle), 1), 8.5, 8.5, bloom
                )
            c.ellipse(tip_x, tip_y, 7, 7, "#B9792E")
        else:
            for step in (0.35, 0.6, 0.85, 1.0):
                px, py = x + lean * step, top - (top - tip_y) * step
                c.fill(f"M{px} {py}q18-16 30-10q-6 16-30 10zM{px} {py + 6}q-18-14-30-6q8 14 30 6z", green)


def planter(c: Canvas) -> None:
    """A pot with a plant: round, straight or footed."""
    form = c.look.form % 3
    top = 226
    c.shadow(200, 106)
    _plant(c, top + 4)
    if form == 0:
        c.body(f"M116 {top}C116 286 140 322 168 322H232C260 322 284 286 284 {top}z")
    elif form == 1:
        c.body(f"M122 {top + 20}L142 {FLOOR}H258L278 {top + 20}z")
        c.body(f"M114 {top - 4}H286V{top + 24}H114z", shade="round", pattern=False)
    else:
        for foot in (148, 246):
            c.fill(f"M{foot - 8} 286H{foot + 14}L{foot + 6} {FLOOR}H{foot}z", c.look.wood)
        c.body(f"M118 {top}H282V274Q282 298 258 298H142Q118 298 118 274z")
    if form != 1:
        c.ellipse(200, top, 84 if form == 0 else 82, 11, lighter(c.main, 0.3))
        c.ellipse(200, top + 1, 76, 8, "#4A3628")


def _plant(c: Canvas, y: float) -> None:
    green, other = GREENS[c.look.choose(4, "green")], GREENS[(c.look.choose(4, "green") + 1) % 4]
    kind = c.look.choose(3, "plant")
    if kind == 0:  # snake plant
        for lean, height, colour in (
            (-58, 118, other),
            (56, 124, other),
            (-30, 160, green),
            (30, 150, green),
            (0, 178, other),
        ):
            tip = f"{200 + lean} {y - height}"
            c.fill(
                f"M{184 + lean * 0.3} {y}Q{178 + lean * 0.8} {y - height * 0.55} {tip}Q{214 + lean * 0.8}"
                f" {y - height * 0.5} {214 + lean * 0.3} {y}z",
                colour,
            )
            c.line(
                f"M{199 + lean * 0.3} {y}Q{197 + lean * 0.8} {y - height * 0.5} {tip}", lighter(colour, 0.4), 2.5, 0.7
            )
    elif kind == 1:  # rubber plant
        c.line(f"M200 {y}Q196 {y - 90} 204 {y - 160}", "#6B5138", 5)
        for i, (dx, dy, turn) in enumerate(
            ((-6, -44, 200), (4, -62, -22), (-2, -92, 215), (4, -112, -40), (2, -140, 235), (4, -156, -75))
        ):
            colour = green if i % 2 else other
            c.add(
                f'<g transform="translate({200 + dx} {y + dy}) rotate({turn})"><path d="M0 0C18-30 60-30 78 0C60'
                f' 26 18 26 0 0z" fill="{colour}"/><path d="M4 0H70" stroke="{lighter(colour, 0.4)}"'
                ' stroke-width="2.4" opacity=".7"/></g>'
            )
    else:  # fern
        for turn in (-162, -142, -120, -100, -80, -60, -38, -18):
            colour = green if turn % 40 else other
            leaves = "".join(
                f'<path d="M{d} 0q10-{26 - d // 6} 22-{22 - d // 8}q-2 20-22 {22 - d // 8}zM{d} 0q10 {26 - d // 6}'
                f' 22 {22 - d // 8}q-2-20-22-{22 - d // 8}z"/>'
                for d in range(20, 116, 14)
            )
            c.add(
                f'<g transform="translate(200 {y}) rotate({turn}) scale(1.1)" fill="{colour}"'
                f' stroke="{colour}"><path d="M0 0H126" stroke-width="3"/>{leaves}</g>'
            )


def clock(c: Canvas) -> None:
    """A round wall clock; mantel clocks stand on a foot."""
    x, y, r = 200, 190, 124
    rim = c.look.wood if c.look.material == "oak" else c.main
    if c.look.form % 3 == 2:
        y, r = 200, 96
        c.shadow(x, 120)
        c.body(f"M84 {FLOOR}V200a116 116 0 0 1 232 0V{FLOOR}z", rim)
        c.box(72, FLOOR - 14, 256, 16, 6, darker(rim, 0.3))
    else:
        c.ellipse(x + 10, y + 14, r + 8, r + 8, "url(#shadow)")
        c.body(
            f"M{x - r} {y}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z",
            rim,
            shade="soft",
            pattern=c.look.material != "oak",
        )
    face = "#FCFAF4" if c.look.choose(3, "face") else darker(c.main, 0.45)
    ink = "#2A2522" if face == "#FCFAF4" else "#FBF6EA"
    c.ellipse(x, y, r - 16, r - 16, darker(rim, 0.35))
    c.ellipse(x, y, r - 19, r - 19, face)
    for hour in range(12):
        angle = hour * math.pi / 6
        inner = r - (40 if hour % 3 == 0 else 33)
        if c.look.style == "retro":
            c.ellipse(
                round(x + (r - 34) * math.sin(angle), 1),
                round(y - (r - 34) * math.cos(angle), 1),
                7 if hour % 3 == 0 else 4,
                7 if hour % 3 == 0 else 4,
                c.main if face == "#FCFAF4" else ink,
            )
            continue
        c.line(
            f"M{x + inner * math.sin(angle):.1f} {y - inner * math.cos(angle):.1f}"
            f"L{x + (r - 26) * math.sin(angle):.1f} {y - (r - 26) * math.cos(angle):.1f}",
            ink,
            5 if hour % 3 == 0 else 2.5,
        )
    for turn, length, width in (
        (300 + c.look.choose(40, "hour"), 0.46, 8),
        (48 + c.look.choose(30, "minute"), 0.68, 5),
    ):
        angle = math.radians(turn)
        c.line(
            f"M{x} {y}L{x + (r - 19) * length * math.sin(angle):.1f} {y - (r - 19) * length * math.cos(angle):.1f}",
            ink,
            width,
        )
    accent = c.main if face == "#FCFAF4" else c.look.accent
    c.line(f"M{x - 14} {y + 20}L{x + 34} {y - 52}", accent, 2.5)
    c.ellipse(x, y, 7, 7, accent)


def mirror(c: Canvas) -> None:
    """Round, arched or rectangular glass in a frame of its material."""
    frame = METALS["brass"] if c.look.material == "brass" else c.look.wood if c.look.material == "oak" else c.main
    form = c.look.form % 3
    if form == 0:

        def shape(inset: float) -> str:
            return (
                f"M{70 + inset} 196a{130 - inset} {130 - inset} 0 1 0 {2 * (130 - inset)} 0a{130 - inset}"
                f" {130 - inset} 0 1 0 {-2 * (130 - inset)} 0z"
            )
    elif form == 1:

        def shape(inset: float) -> str:
            return (
                f"M{108 + inset} {338 - inset}V{150}a{92 - inset} {92 - inset} 0 0 1 {2 * (92 - inset)} 0"
                f"V{338 - inset}z"
            )
    else:

        def shape(inset: float) -> str:
            return f"M{96 + inset} {60 + inset}H{304 - inset}V{336 - inset}H{96 + inset}z"

    c.add(f'<path d="{shape(0)}" transform="translate(9 12)" fill="#1b1512" opacity=".16"/>')
    c.body(shape(0), frame, shade="flat", pattern=c.look.material == "metal")
    c.fill(shape(12), darker(frame, 0.4))
    glass = mix("#DCE8EA", lighter(c.main, 0.6), 0.25)
    c.add(f'<clipPath id="glass"><path d="{shape(15)}"/></clipPath>')
    c.add(
        f'<g clip-path="url(#glass)"><rect width="400" height="400" fill="{glass}"/>'
        '<path d="M60 330L250 20H310L120 360zM150 370L330 76H350L190 370z" fill="#fff" opacity=".42"/>'
        f'<path d="M0 300q90-40 200-10t200-20V400H0z" fill="{lighter(c.main, 0.55)}" opacity=".55"/></g>'
    )
    if c.look.style in ("coastal", "industrial") and form == 0:
        c.line("M140 82Q200 10 260 82", darker(frame, 0.35), 7)


def print_(c: Canvas) -> None:
    """A picture in a frame, or pinned to the wall; the motif follows the style."""
    framed = c.look.material == "framed"
    x, y, w, h = (86, 46, 228, 300) if c.look.form % 3 != 2 else (52, 76, 296, 236)
    c.box(x + 9, y + 12, w, h, 3, "#1b1512", 0.17)
    if framed:
        frame = ("#C69B63", "#2C2825", "#80573B", "#F4EFE6")[c.look.choose(4, "frame")]
        c.body(f"M{x} {y}h{w}v{h}h{-w}z", frame, pattern=False, shade="flat")
        c.box(x + 11, y + 11, w - 22, h - 22, 1, "#FDFBF6")
        inset = 34
    else:
        c.box(x, y, w, h, 2, "#FDFBF6")
        inset = 16
        for pin in (x + 16, x + w - 16):
            c.ellipse(pin, y + 9, 4, 4, c.dark)
    ax, ay, aw, ah = x + inset, y + inset, w - 2 * inset, h - 2 * inset
    c.add(
        f'<clipPath id="art"><rect x="{ax}" y="{ay}" width="{aw}" height="{ah}"/></clipPath><g clip-path="url(#art)">'
    )
    c.box(ax, ay, aw, ah, 0, lighter(c.main, 0.72))
    _motif(c, ax, ay, aw, ah)
    c.add("</g>")


def _motif(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    mx, my, style = x + w / 2, y + h / 2, c.look.style
    second = c.look.accent
    if style == "nordic":
        c.ellipse(mx - 18, y + h * 0.36, w * 0.27, w * 0.27, c.main)
        c.ellipse(mx + 26, y + h * 0.46, w * 0.22, w * 0.22, second, 0.75)
        c.fill(f"M{x} {y + h * 0.74}q{w / 4} -26 {w / 2} -6t{w / 2} -8V{y + h}H{x}z", c.dark, 0.85)
    elif style == "coastal":
        c.ellipse(x + w * 0.68, y + h * 0.26, w * 0.13, w * 0.13, second, 0.9)
        for i, share in enumerate((0.52, 0.66, 0.8)):
            c.fill(
                f"M{x} {y + h * share}q{w / 4} -16 {w / 2} 0t{w / 2} 0V{y + h}H{x}z",
                (lighter(c.main, 0.35), c.main, c.dark)[i],
            )
        c.fill(f"M{mx - 30} {y + h * 0.52}V{y + h * 0.22}L{mx + 14} {y + h * 0.52}z", "#FDFBF6")
        c.fill(f"M{mx - 48} {y + h * 0.54}H{mx + 24}l-12 14H{mx - 36}z", c.deep)
    elif style == "botanical":
        c.line(f"M{mx} {y + h * 0.94}Q{mx - 8} {my} {mx + 4} {y + h * 0.1}", c.dark, 4)
        for i in range(6):
            py = y + h * (0.82 - i * 0.125)
            size = 1.15 - i * 0.11
            c.fill(
                f"M{mx} {py}c{20 * size} -{26 * size} {46 * size} -{26 * size} {62 * size}"
                f" -{20 * size}c-{10 * size} {26 * size} -{40 * size} {32 * size} -{62 * size} {20 * size}z",
                c.main,
            )
            c.fill(
                f"M{mx - 2} {py - 8}c-{20 * size} -{26 * size} -{46 * size} -{26 * size} -{62 * size}"
                f" -{20 * size}c{10 * size} {26 * size} {40 * size} {32 * size} {62 * size} {20 * size}z",
                c.dark,
            )
    elif style == "industrial":
        for i, tall in enumerate((0.42, 0.62, 0.5, 0.78, 0.36)):
            bw = w / 5
            c.box(x + i * bw + 2, y + h * (1 - tall), bw - 4, h * tall, 0, (c.main, c.dark, second)[i % 3], 0.9)
            for row in range(4):
                c.box(x + i * bw + bw / 2 - 6, y + h * (1 - tall) + 14 + row * 22, 12, 9, 0, "#FDFBF6", 0.75)
    elif style == "retro":
        for i, share in enumerate((0.46, 0.36, 0.26, 0.16)):
            c.ellipse(mx, y + h * 0.62, w * share, w * share, (c.main, lighter(c.main, 0.55), second, "#FDF3DC")[i])
        c.box(x, y + h * 0.62, w, h * 0.38, 0, c.dark)
        for i in range(4):
            c.box(x, y + h * (0.68 + i * 0.08), w, 4, 0, lighter(c.main, 0.5), 0.8)
    else:
        c.box(x + 8, y + 8, w - 16, h - 16, 0, c.dark, 0.16)
        c.ring(mx, my, w * 0.38, c.dark, 3)
        c.fill(
            f"M{mx} {my - w * 0.3}C{mx + w * 0.3} {my - w * 0.24} {mx + w * 0.3} {my + w * 0.14} {mx}"
            f" {my + w * 0.32}C{mx - w * 0.3} {my + w * 0.14} {mx - w * 0.3} {my - w * 0.24} {mx} {my - w * 0.3}z",
            c.main,
        )
        c.line(f"M{mx} {my - w * 0.24}V{my + w * 0.26}M{mx - w * 0.22} {my - w * 0.02}H{mx + w * 0.22}", "#FDFBF6", 5)
