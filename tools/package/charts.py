"""One chart specification a picture, by Altair: the same in a PNG for chats and interactive on a page.

Colours are those of Okabe and Ito (Color Universal Design, 2008), told apart by all kinds of colour vision; shape and
text say everything once more.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import altair as alt

Data = Mapping[str, Any]  # plain JSON, of the form that `edgewright.tools.package.pictures` gives

Chart = alt.LayerChart | alt.FacetChart  # what `alt.layer` says it returns

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
    names = [
        _points([place])
        .mark_text(align="left", baseline="middle", fontSize=FONT_PX)
        .encode(x=alt.value(place["left"]), y=alt.value(place["middle"]), text="name:N")
        for place in placed(data, across, up)
    ]
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
    # Only the percentiles that lie apart are named on the curve; the hovering text and the table have all.
    names = (
        marks.transform_filter("datum.percentile != 'P99'")
        .mark_text(align="left", dx=8, dy=10, fontSize=12)
        .encode(x=x, y="share:Q", text="percentile:N")
    )
    return alt.layer(lines, dots, names).properties(
        width=WIDTH, height=HEIGHT, title=_title("Times of single inferences", data["label"])
    )


def operators(data: Data) -> Chart:
    """Return the time by operator of the unmodified model."""
    bars = _points(data["bars"]).encode(
        x=alt.X("ms:Q", title="Milliseconds per inference", scale=_longer([bar["ms"] for bar in data["bars"]])),
        y=alt.Y("operator:N", title=None, sort=None, axis=alt.Axis(labelLimit=220)),
        tooltip=["operator:N", "ms:Q", "share:Q"],
    )
    texts = bars.mark_text(align="left", dx=4, fontSize=12).encode(text=alt.Text("share:Q", format=".1%"))
    return alt.layer(bars.mark_bar(color=BLUE), texts).properties(
        width=WIDTH, height=alt.Step(28), title=_title("Time by operator, unmodified model", data["label"])
    )


def sizes(data: Data) -> Chart:
    """Return the file size of every variant."""
    values = [{**bar, "row": f"{number}. {bar['name']}"} for number, bar in enumerate(data["bars"])]
    bars = _points(values).encode(
        x=alt.X("mb:Q", title="File size (MB)", scale=_longer([bar["mb"] for bar in data["bars"]])),
        y=alt.Y("row:N", title=None, sort=None, axis=alt.Axis(labelLimit=260)),
        tooltip=["name:N", "mb:Q", "status:N"],
    )
    texts = bars.mark_text(align="left", dx=4, fontSize=12).encode(text="text:N")
    colour = alt.condition("datum.status == 'kept'", alt.value(BLUE), alt.value("#A8A8A8"))
    return alt.layer(bars.mark_bar().encode(color=colour), texts).properties(
        width=WIDTH, height=alt.Step(28), title=_title("File size of every variant", "blue: kept")
    )


CHARTS: Mapping[str, tuple[str, Callable[[Data], Chart]]] = MappingProxyType(
    {
        "tradeoff": ("Accuracy against time of every variant", tradeoff),
        "latency": ("Distribution of inference times", latency),
        "operators": ("Time by operator", operators),
        "sizes": ("File sizes", sizes),
    }
)


def specification(name: str, data: Data) -> dict[str, Any]:
    """Return a chart in Vega-Lite, its data inside."""
    chart = CHARTS[name][1](data).configure(background="white", font=FONT, padding=12).configure_view(stroke="#DDDDDD")
    content: dict[str, Any] = chart.configure_axis(labelFontSize=12, titleFontSize=13).to_dict()
    return content


def described(name: str, data: Data) -> str:
    """Return what a chart shows, for whoever does not see it."""
    if name == "tradeoff":
        points = (f"{p['name']}: {data['metric']} {p['value']:.4f}, {p['time']:.2f}x the time" for p in data["points"])
        return f"Floor {data['floor']:.4f}. {'; '.join(points)}."
    if name == "latency":
        return "; ".join(f"{mark['name']} {mark['percentile']} {mark['ms']:.3g} ms" for mark in data["marks"]) + "."
    if name == "operators":
        return "; ".join(f"{bar['operator']} {bar['share']:.1%}" for bar in data["bars"]) + "."
    return "; ".join(f"{bar['name']} {bar['mb']:.3g} MB" for bar in data["bars"]) + "."


def _title(text: str, subtitle: str) -> alt.TitleParams:
    return alt.TitleParams(text, subtitle=subtitle, anchor="start", fontSize=16, subtitleFontSize=12)


def _room(values: list[float]) -> list[float]:
    """Return a domain with room around the values: points on the frame are hard to see."""
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 0.05 * abs(high) or 1.0
    return [low - margin, high + margin]


def _longer(values: list[float]) -> alt.Scale:
    """Return a scale from zero with room for the text behind the longest bar."""
    return alt.Scale(domain=[0, 1.15 * max(values) or 1.0], nice=False)
