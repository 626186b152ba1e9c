"""The table: what was measured, what the least would be, what the goal is, and whether it is met."""

from statistics import median


class Row:
    def __init__(self, figure, value, unit, goal, met, reference=None, ratio=None):
        self.figure, self.value, self.unit, self.goal, self.met = figure, value, unit, goal, met
        self.reference, self.ratio = reference, ratio

    def json(self):
        return dict(self.__dict__)


def number(value):
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def of(runs, key):
    """The median over the runs."""
    return median(run[key] for run in runs)


def at_most(figure, value, unit, most):
    return Row(figure, value, unit, f"<= {number(most)}", value <= most)


def at_least(figure, value, unit, least):
    return Row(figure, value, unit, f">= {number(least)}", value >= least)


def ratios(runs, references, key, reference_key=None):
    """Each run against the reference that was measured beside it; the median of these."""
    return median(a[key] / b[reference_key or key] for a, b in zip(runs, references))


def plain(figure, value, unit, reference=None, ratio=None):
    """A figure without a goal, that explains another."""
    return Row(figure, value, unit, "", None, reference, ratio)


def against(figure, runs, references, key, unit, most=None, least=None):
    ratio = ratios(runs, references, key)
    goal = f"<= {most:.2f} x" if most is not None else f">= {least:.2f} x"
    met = ratio <= most if most is not None else ratio >= least
    return Row(figure, of(runs, key), unit, goal, met, of(references, key), ratio)


def table(rows):
    head = ("figure", "measured", "unit", "reference", "ratio", "goal", "")
    lines = [head]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        verdict = "" if row.met is None else "pass" if row.met else "FALLS SHORT"
        lines.append((row.figure, number(row.value), row.unit, number(row.reference), ratio, row.goal, verdict))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = (1, 3, 4)
    out = []
    for line in lines:
        out.append("  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths))).rstrip())
    out.insert(1, "-" * max(map(len, out)))
    return "\n".join(out)
