"""One chart specification a picture, by Altair: the same in a PNG for chats and interactive on a page.

Colours are those of Okabe and Ito (Color Universal Design, 2008), told apart by all kinds of colour vision; shape and
text say everything once more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import altair as alt

Data = Mapping[str, Any]  # plain JSON, of the form that `edgewright.tools.package.pictures` gives

Chart = alt.LayerChart | alt.FacetChart | alt.HConcatChart  # what `alt.layer` and `alt.hconcat` say they return

WIDTH, HEIGHT = 560, 320
FONT_PX, CHARACTER_PX = 12, 6.4
BLUE, VERMILION, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#6B6B6B"
VERDICTS = ("passes", "waived", "fails")
FONT = "sans-serif"


def tradeoff(data: Data) -> Chart:
    """Return accuracy against time: every variant with its name and interval, the floor, the target, the front."""
    points = data["points"]
    times = [point[end] for point in data["points"] for end in ("low", "high")]
    values = [point["value"] for point in data["points"]] + [data["floor"]]
    across, up = _room([*times, data["target"] or 1.0]), _room(values)
    x = alt.X("time:Q", title="Time relative to the baseline", scale=alt.Scale(domain=across, zero=False, nice=False))
    y = alt.Y("value:Q", title=data["metric"], scale=alt.Scale(domain=up, zero=False, nice=False))
    colour = alt.Color(
        "verdict:N",
        title="Floor",
        scale=alt.Scale(domain=list(VERDICTS), range=[BLUE, ORANGE, VERMILION]),
        legend=alt.Legend(orient="bottom"),
    )
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=list(VERDICTS), range=["circle", "diamond", "cross"]))
    tooltip = ["name:N", "time:Q", "low:Q", "high:Q", "value:Q", "size_mb:Q", "verdict:N", "status:N"]
    front = _points(points).transform_filter("datum.front").mark_line(color=GREY, strokeDash=[2, 2], size=1.5)
    bars = _points(points).mark_rule(size=2).encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=colour)
    dots = _points(points).mark_point(size=110, filled=True, opacity=1)
    names = [layer for place in placed(data, across, up) for layer in _written(place)]
    layers = [
        front.encode(x=x, y=y, order="time:Q"),
        *_rules(data),
        bars,
        dots.encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip),
        *names,
    ]
    title = _title(
        "Accuracy against time", f"{data['model']} · {data['label']} · bars: 95% interval · dotted: Pareto front"
    )
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=title)


def placed(data: Data, across: list[float], up: list[float]) -> list[dict[str, Any]]:
    """Return where each point's name stands, in pixels of the plot: beside it, and on no other name, point or rule.

    Args:
        data: Of the trade-off; each point has `time`, `value` and `short`, the name to write.
        across: Domain of the horizontal axis.
        up: Domain of the vertical axis.
    """

    def pixels(value: float, domain: list[float], length: float) -> float:
        return length * (value - domain[0]) / (domain[1] - domain[0])

    spots = [
        (pixels(point["time"], across, WIDTH), HEIGHT - pixels(point["value"], up, HEIGHT), point["short"])
        for point in data["points"]
    ]
    floor = HEIGHT - pixels(data["floor"], up, HEIGHT)
    taken: list[Box] = [(x - 7.0, y - 7.0, x + 7.0, y + 7.0) for x, y, _ in spots]
    taken += [(0.0, floor - 1, WIDTH, floor + 1), (WIDTH - 90.0, floor, WIDTH, floor + 20)]
    if data["target"]:
        target = pixels(data["target"], across, WIDTH)
        taken += [(target - 1, 0.0, target + 1, HEIGHT), (target, 0.0, target + 95, 18.0)]
    places = []
    for x, y, name in spots:
        wide = CHARACTER_PX * len(name)
        beside = [(left, y + dy) for dy in (-14, 14, 0, -28, 28, -42, 42) for left in (x + 10, x - 10 - wide)]
        boxes = [(left, middle - 7.0, left + wide, middle + 7.0) for left, middle in beside]
        free = [box for box in boxes if _inside(box) and not any(_meet(box, other) for other in taken)]
        box = (free or boxes)[0]
        taken.append(box)
        places.append({"name": name, "left": box[0], "middle": (box[1] + box[3]) / 2})
    return places


def _written(place: dict[str, Any]) -> list[alt.Chart]:
    """Return a name in its place, above a halo: where there was no free place it stays readable on a line."""
    words = _points([place]).encode(x=alt.value(place["left"]), y=alt.value(place["middle"]), text="name:N")
    text = words.mark_text(align="left", baseline="middle", fontSize=FONT_PX)
    halo = words.mark_text(
        align="left", baseline="middle", fontSize=FONT_PX, stroke="white", strokeWidth=4, opacity=0.85
    )
    return [halo, text]


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _inside(box: Box) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= WIDTH and box[3] <= HEIGHT


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _points(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=values))  # type: ignore[no-untyped-call]


def _rules(data: Data) -> list[alt.Chart]:
    """Return the floor and, where one was named, the latency target, each with its name."""
    floor = _points([{"value": data["floor"], "name": f"floor {data['floor']:.4g}"}])
    drawn = [
        floor.mark_rule(color=VERMILION, size=2, strokeDash=[8, 4]).encode(y="value:Q"),
        floor.mark_text(align="right", dx=-4, dy=11, color=VERMILION, fontSize=12, fontWeight="bold").encode(
            x=alt.value(WIDTH), y="value:Q", text="name:N"
        ),
    ]
    if data["target"]:
        target = _points([{"time": data["target"], "name": "latency target"}])
        drawn += [
            target.mark_rule(color=GREEN, size=2, strokeDash=[8, 4]).encode(x="time:Q"),
            target.mark_text(align="left", dx=5, dy=8, color=GREEN, fontSize=12, fontWeight="bold").encode(
                x="time:Q", y=alt.value(0), text="name:N"
            ),
        ]
    return drawn


def latency(data: Data) -> Chart:
    """Return the share of runs below each time, baseline beside the best variant, with the printed percentiles."""
    colour = alt.Color(
        "name:N",
        title=None,
        scale=alt.Scale(domain=data["order"], range=[GREY, BLUE][: len(data["order"])]),
        legend=alt.Legend(orient="bottom", labelLimit=400),
    )
    times = sorted(point["ms"] for point in data["curves"])
    # A single slow run would flatten all the others: the axis ends a little beyond the 99th percentile.
    last = max([mark["ms"] for mark in data["marks"]] + [times[int(len(times) * 0.99) - 1]])
    x = alt.X(
        "ms:Q", title="Time of one inference (ms)", scale=alt.Scale(domain=[0, last * 1.1], clamp=True, nice=False)
    )
    lines = (
        _points(data["curves"])
        .mark_line(size=2.5, clip=True)
        .encode(
            x=x,
            y=alt.Y("share:Q", title="Share of runs below", axis=alt.Axis(format="%")),
            color=colour,
            strokeDash=alt.StrokeDash("name:N", title=None, scale=alt.Scale(domain=data["order"])),
        )
    )
    height = {"P50": 0.5, "P95": 0.95, "P99": 0.99}
    values = [{**mark, "share": height[mark["percentile"]]} for mark in data["marks"]]
    marks = _points(values)
    dots = marks.mark_point(filled=True, size=70, opacity=1).encode(
        x=x, y="share:Q", color=colour, tooltip=["name:N", "percentile:N", "ms:Q"]
    )
    names = [layer.encode(x=x, y="share:Q", text="percentile:N") for layer in _named_apart(values)]
    return alt.layer(lines, dots, *names).properties(
        width=WIDTH, height=HEIGHT, title=_title("Times of single inferences", data["label"])
    )


def _named_apart(marks: list[dict[str, Any]]) -> list[alt.Chart]:
    """Return the names of P50 and P95 away from each other: on the left of the faster curve, on the right of the other.

    Only percentiles that lie apart are named on the curve; the hovering text and the table have all.
    """
    shown = [mark for mark in marks if mark["percentile"] != "P99"]
    slowest = {p: max(m["ms"] for m in shown if m["percentile"] == p) for p in {m["percentile"] for m in shown}}
    right = [mark for mark in shown if mark["ms"] == slowest[mark["percentile"]]]
    left = [mark for mark in shown if mark not in right]
    return [
        _points(right).mark_text(align="left", dx=8, dy=10, fontSize=FONT_PX),
        _points(left).mark_text(align="right", dx=-8, dy=-8, fontSize=FONT_PX),
    ]


def drift(data: Data) -> Chart:
    """Return how percentiles changed over a long measurement, and where the device was first held back."""
    points, order = data["points"], data["order"]
    x = alt.X("s:Q", title="Seconds of measurement", scale=alt.Scale(zero=True, nice=False), axis=alt.Axis(tickCount=6))
    # A change below a twentieth is not to fill the picture.
    y = alt.Y("ms:Q", title="Time of one inference (ms)", scale=alt.Scale(domain=_room(_widened(points)), nice=False))
    colour = alt.Color(
        "name:N",
        title=None,
        scale=alt.Scale(domain=order, range=[GREY, BLUE][-len(order) :]),
        legend=alt.Legend(orient="bottom", labelLimit=400),
    )
    dash = alt.StrokeDash("percentile:N", legend=None, scale=alt.Scale(domain=["P50", "P95"], range=[[1, 0], [6, 3]]))
    lines = _points(points).mark_line(size=2.5).encode(x=x, y=y, color=colour, strokeDash=dash)
    tooltip = ["name:N", "percentile:N", "s:Q", "ms:Q"]
    dots = _points(points).mark_point(filled=True, size=45, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip)
    last = max(point["s"] for point in points)
    names = (
        _points([point for point in points if point["s"] == last])
        .mark_text(align="left", dx=6, fontSize=FONT_PX)
        .encode(x=x, y=y, text="percentile:N")
    )
    layers = [*_held_back(data), lines, dots, names]
    return alt.layer(*layers).properties(
        width=WIDTH, height=HEIGHT, title=_title("Times over a sustained run", f"{data['protocol']} · {data['label']}")
    )


def _widened(points: list[dict[str, Any]]) -> list[float]:
    times = [point["ms"] for point in points]
    return [*times, 0.95 * min(times), 1.05 * max(times)]


def _held_back(data: Data) -> list[alt.Chart]:
    """Return the moment from which the device was held back, with its name, where there was one."""
    if data["throttled_s"] is None:
        return []
    moment = _points([{"s": data["throttled_s"], "name": "throttling began"}])
    return [
        moment.mark_rule(color=VERMILION, size=2, strokeDash=[8, 4]).encode(x="s:Q"),
        moment.mark_text(align="left", dx=5, dy=10, color=VERMILION, fontSize=FONT_PX, fontWeight="bold").encode(
            x="s:Q", y=alt.value(0), text="name:N"
        ),
    ]


def operators(data: Data) -> Chart:
    """Return the time by operator of the unmodified model."""
    title = _title("Time by operator, unmodified model", data["label"])
    return _shares(data, "ms", "Milliseconds per inference", title)


def weights(data: Data) -> Chart:
    """Return the bytes by operator of the unmodified model."""
    title = _title("Size by operator, unmodified model", "stored tensors, by the operator that reads them")
    return _shares(data, "mb", "MB of the file", title)


def _shares(data: Data, field: str, axis: str, title: alt.TitleParams) -> Chart:
    bars = _points(data["bars"]).encode(
        x=alt.X(f"{field}:Q", title=axis, scale=_longer([bar[field] for bar in data["bars"]])),
        y=alt.Y("operator:N", title=None, sort=None, axis=alt.Axis(labelLimit=220)),
        tooltip=["operator:N", f"{field}:Q", "share:Q"],
    )
    texts = bars.mark_text(align="left", dx=4, fontSize=FONT_PX).encode(text=alt.Text("share:Q", format=".1%"))
    return alt.layer(bars.mark_bar(color=BLUE), texts).properties(width=WIDTH, height=alt.Step(28), title=title)


def sensitivity(data: Data) -> Chart:
    """Return what each group of operators costs in accuracy in 8 bits, and beside it what it saves of the time."""
    shown = f"alone in 8 bits, on {data['samples']} samples · the {len(data['bars'])} worst of {data['groups']} groups"
    panels = [_column(data["bars"], "error", "Relative squared error of the outputs", VERMILION)]
    if timed := [bar for bar in data["bars"] if bar["saved"] is not None]:
        panels.append(_column(timed, "saved", "Share of float32's time that it saves", BLUE))
        shown += f" · times: {data['label']}"
    drawn: alt.HConcatChart = alt.hconcat(*panels, spacing=12).resolve_scale(y="shared")
    return drawn.properties(title=_title("What each group costs and saves", shown))


def _column(bars: list[dict[str, Any]], field: str, title: str, colour: str) -> Chart:
    """Return bars of one field of each group, each with its text; only errors, which come first, name the groups."""
    share = field == "saved"
    drawn = _points(bars).encode(
        x=alt.X(
            f"{field}:Q",
            title=title,
            axis=alt.Axis(format="%" if share else "~g", tickCount=5),
            scale=_longer([bar[field] for bar in bars], room=1.35),
        ),
        y=alt.Y("group:N", title=None, sort=None, axis=None if share else alt.Axis(labelLimit=230)),
        tooltip=["group:N", "said:N", "saved:Q"],
    )
    said = alt.Text("saved:Q", format=".1%") if share else alt.Text("said:N")
    texts = drawn.transform_calculate(end=f"max(0, datum.{field})").mark_text(align="left", dx=4, fontSize=FONT_PX)
    texts = texts.encode(x="end:Q", text=said)  # beside the bar, also where that reaches below zero
    return alt.layer(drawn.mark_bar(color=colour), texts).properties(width=WIDTH // 2 - 30, height=alt.Step(24))


def sizes(data: Data) -> Chart:
    """Return the file size of every variant."""
    bars = _points(data["bars"]).encode(
        x=alt.X("mb:Q", title="File size (MB)", scale=_longer([bar["mb"] for bar in data["bars"]])),
        y=alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelLimit=260)),
        tooltip=["name:N", "mb:Q", "status:N"],
    )
    texts = bars.mark_text(align="left", dx=4, fontSize=FONT_PX).encode(text="text:N")
    colour = alt.condition("datum.status == 'kept'", alt.value(BLUE), alt.value("#A8A8A8"))
    return alt.layer(bars.mark_bar().encode(color=colour), texts).properties(
        width=WIDTH, height=alt.Step(28), title=_title("File size of every variant", "blue: kept")
    )


@dataclass(frozen=True)
class Kind:
    """A kind of picture.

    Attributes:
        title: What it shows.
        chart: Draws it from its data.
        described: Says it in words, for whoever does not see it; a clause each.
    """

    title: str
    chart: Callable[[Data], Chart]
    described: Callable[[Data], Iterable[str]]


def _of_tradeoff(data: Data) -> Iterator[str]:
    yield f"Floor {data['floor']:.4f}"
    for point in data["points"]:
        yield f"{point['name']}: {data['metric']} {point['value']:.4f}, {point['time']:.2f}x the time"


def _of_bars(name: str, text: Callable[[dict[str, Any]], str]) -> Callable[[Data], Iterator[str]]:
    return lambda data: (f"{bar[name]} {text(bar)}" for bar in data["bars"])


CHARTS: Mapping[str, Kind] = MappingProxyType(
    {
        "tradeoff": Kind("Accuracy against time of every variant", tradeoff, _of_tradeoff),
        "latency": Kind(
            "Distribution of inference times",
            latency,
            lambda data: (f"{mark['name']} {mark['percentile']} {mark['ms']:.3g} ms" for mark in data["marks"]),
        ),
        "drift": Kind(
            "Times over a sustained run", drift, lambda data: (line.removesuffix(".") for line in data["sentences"])
        ),
        "operators": Kind("Time by operator", operators, _of_bars("operator", lambda bar: f"{bar['share']:.1%}")),
        "weights": Kind("Size by operator", weights, _of_bars("operator", lambda bar: f"{bar['share']:.1%}")),
        "sizes": Kind("File sizes", sizes, _of_bars("name", lambda bar: f"{bar['mb']:.3g} MB")),
        "sensitivity": Kind("Sensitivity by group", sensitivity, _of_bars("group", lambda bar: f"error {bar['said']}")),
    }
)


def specification(name: str, data: Data) -> dict[str, Any]:
    """Return a chart in Vega-Lite, its data inside."""
    chart = CHARTS[name].chart(data).configure(background="white", font=FONT, padding=12)
    chart = chart.configure_view(stroke="#DDDDDD").configure_axis(labelFontSize=12, titleFontSize=13)
    content: dict[str, Any] = chart.to_dict()
    return content


def described(name: str, data: Data) -> str:
    """Return what a chart shows, for whoever does not see it."""
    return f"{'; '.join(CHARTS[name].described(data))}."


def _title(text: str, subtitle: str) -> alt.TitleParams:
    return alt.TitleParams(text, subtitle=subtitle, anchor="start", fontSize=16, subtitleFontSize=12)


def _room(values: list[float]) -> list[float]:
    """Return a domain with room around the values: points on the frame are hard to see."""
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 0.05 * abs(high) or 1.0
    return [max(0.0, low - margin) if low >= 0 else low - margin, high + margin]


def _longer(values: list[float], room: float = 1.15) -> alt.Scale:
    """Return a scale from zero, or below where values are, with room for the text behind the longest bar."""
    return alt.Scale(domain=[min(0.0, *values), room * max(0.0, *values) or 1.0], nice=False)
