"""The curves as one SVG: for each thing that grows, latency above and CPU below."""

from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN, GAP = 300, 190, 56, 34
HEADROOM = 1.35  # for the names of the curves
COLORS = ("#1f6feb", "#d1242f", "#1a7f37")


def _scale(values, length):
    top = max([*values, 1e-9]) * HEADROOM
    return lambda value: value / top * length, top


def _axis(x, y, title, label, top):
    lines = [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#d0d7de"/>',
        f'<text x="{x}" y="{y - 8}" font-weight="bold">{escape(title)}</text>',
        f'<text x="{x + WIDTH / 2}" y="{y + HEIGHT + 28}" text-anchor="middle">{escape(label)}</text>',
    ]
    for i in range(5):
        at = y + HEIGHT - HEIGHT * i / 4 / HEADROOM
        lines.append(f'<text x="{x - 6}" y="{at + 4}" text-anchor="end">{top / HEADROOM * i / 4:.3g}</text>')
        lines.append(f'<line x1="{x}" x2="{x + WIDTH}" y1="{at}" y2="{at}" stroke="#eaeef2"/>')
    return lines


def _panel(x, y, title, label, xs, curves):
    """Each point has its own place on the x axis: what grows mostly doubles."""
    to_y, top = _scale([v for _, ys in curves for v in ys], HEIGHT)
    out = _axis(x, y, title, label, top)
    places = [x + WIDTH * (i + 0.5) / len(xs) for i in range(len(xs))]
    for place, value in zip(places, xs):
        out.append(f'<text x="{place}" y="{y + HEIGHT + 14}" text-anchor="middle">{value:,}</text>')
    for n, (name, ys) in enumerate(curves):
        points = [(place, y + HEIGHT - to_y(value)) for place, value in zip(places, ys)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLORS[n]}" stroke-width="2"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{COLORS[n]}"/>' for a, b in points]
        out.append(f'<text x="{x + 8}" y="{y + 16 + 14 * n}" fill="{COLORS[n]}">{escape(name)}</text>')
    return out


def svg(curves, tick_ms):
    """`curves`: name of what grows -> points of figures.growth."""
    columns = [(name, points) for name, points in curves.items() if points]
    width = MARGIN + len(columns) * (WIDTH + MARGIN)
    height = 2 * (HEIGHT + GAP + 40) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">']
    out.append(f'<rect width="{width}" height="{height}" fill="#ffffff"/>')
    for i, (name, points) in enumerate(columns):
        x = MARGIN + i * (WIDTH + MARGIN)
        xs = [point[name] for point in points]
        label = {"draws_per_s": "draws per second"}.get(name, name)
        seen = [("p50", [p["seen_p50_ms"] for p in points]), ("p99", [p["seen_p99_ms"] for p in points])]
        cpu = [
            ("gateways, % of a core", [100 * p["cpu"] for p in points]),
            ("µs per delivered frame", [p["us_per_frame"] for p in points]),
        ]
        out += _panel(x, GAP, f"draw to screen, ms, tick of {tick_ms} ms", label, xs, seen)
        out += _panel(x, GAP + HEIGHT + GAP + 40, "CPU", label, xs, cpu)
    return "\n".join([*out, "</svg>", ""])
