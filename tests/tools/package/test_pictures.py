"""Pictures show what the record holds, point by point, and nothing else."""

import io
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import run_builder as build
from PIL import Image
from report_run import DRIFT, STORED_BYTES, TRIED, raw_times, tried

from edgewright.state.artifacts import Device
from edgewright.state.phases import Phase
from edgewright.state.run import Run
from edgewright.state.sensitivity import GroupSensitivity
from edgewright.tools.package import charts, pictures
from edgewright.tools.package.pictures import (
    GROUPS_SHOWN,
    Drawn,
    draw,
    draw_data,
    drift_data,
    picture_data,
    sensitivity_data,
    tradeoff_data,
    weight_data,
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return draw(tried(), raw_times(tmp_path_factory.mktemp("times")))


@pytest.mark.promise("P6")
def test_every_variant_tried_is_a_point_with_its_interval_and_the_floor_and_target_are_drawn() -> None:
    data = tradeoff_data(tried())
    assert data is not None
    points = {point["name"]: point for point in data["points"]}
    assert set(points) == {"Baseline", *(f"toy_{word}.onnx" for word, *_ in TRIED)}
    for word, ratio, value, _ in TRIED:
        point = points[f"toy_{word}.onnx"]
        assert (point["time"], point["value"]) == (ratio, value)
        assert (point["low"], point["high"]) == pytest.approx((ratio - 0.05, ratio + 0.05))
        assert point["verdict"] == ("passes" if value >= data["floor"] else "fails")
    assert data["floor"] == pytest.approx(0.882)
    assert data["target"] == pytest.approx(0.6)
    assert data["label"] == "Host Estimate (not target hardware)"


def test_two_ways_to_make_a_file_of_one_name_are_two_points_with_names_of_their_own() -> None:
    run = tried()
    name = "toy_with_a_name_that_is_longer_than_a_picture_has_room_for.onnx"
    steps = tuple(replace(step, artifact=replace(step.artifact, name=name)) for step in run.steps)
    data = tradeoff_data(replace(run, steps=steps))
    assert data is not None
    for names in ([point[kind] for point in data["points"]] for kind in ("name", "short")):
        assert len(set(names)) == len(TRIED) + 1


@pytest.mark.promise("P6")
def test_a_latency_target_is_not_drawn_where_the_times_are_not_the_devices() -> None:
    run = tried()
    run = replace(run, started=replace(run.started, target_device=Device.RASPBERRY_PI_5))
    data = tradeoff_data(run)
    assert data is not None
    assert run.started.latency_target_ms
    assert data["target"] is None


def test_the_front_holds_exactly_what_no_other_variant_beats() -> None:
    data = tradeoff_data(tried())
    assert data is not None
    assert {point["short"] for point in data["points"] if point["front"]} == {
        "Baseline",
        "static_int8",
        "static_tensor_int8",
    }


def test_names_stand_inside_the_picture_and_apart_from_each_other() -> None:
    points = [{"time": 0.4 + 0.01 * n, "value": 0.9, "short": f"variant number {n}"} for n in range(5)]
    places = charts.placed({"points": points, "floor": 0.88, "target": None}, [0.3, 1.1], [0.85, 0.92])
    for one, other in itertools.combinations(places, 2):
        apart = abs(one["middle"] - other["middle"]) >= 14
        wide = charts.CHARACTER_PX * len(one["name"])
        assert apart or abs(one["left"] - other["left"]) >= wide


def test_the_curve_is_that_of_the_raw_times(tmp_path: Path) -> None:
    path_of = raw_times(tmp_path)
    data = picture_data(tried(), path_of)["latency"]
    raw = np.load(path_of(build.digest(f"times of {build.ORIGINAL.sha256}"))) / 1e6
    curve = [point["ms"] for point in data["curves"] if point["name"] == "Baseline"]
    assert (curve[0], curve[-1]) == (raw.min(), raw.max())
    assert data["order"] == ["Baseline", "toy_static_int8.onnx"]


@pytest.mark.promise("P6", "P10")
def test_a_sustained_run_is_drawn_window_by_window_with_the_moment_the_device_was_held_back() -> None:
    data = drift_data(tried())
    assert data is not None
    for trend in DRIFT.trends:
        points = [point for point in data["points"] if point["percentile"] == f"P{trend.percentile}"]
        assert [point["ms"] for point in points] == list(trend.values_ms)
        assert [point["s"] for point in points] == [15.0 + 30.0 * number for number in range(10)]
    assert (data["order"], data["throttled_s"]) == (["toy_static_int8.onnx"], 210.0)
    assert data["protocol"] == "sustained"
    assert "Throttling began after 210 s" in data["sentences"][0]


def test_without_a_sustained_run_no_drift_is_drawn() -> None:
    assert drift_data(build.run_in(Phase.PACKAGE)) is None


def test_baseline_and_candidate_are_drawn_together_where_they_took_turns_for_long() -> None:
    run = build.run_in(Phase.PACKAGE)
    step = run.steps[0]
    assert step.benchmark is not None
    long = replace(
        step.benchmark,
        candidate=replace(step.benchmark.candidate, drift=DRIFT),
        baseline=replace(step.benchmark.baseline, drift=DRIFT),
    )
    data = drift_data(replace(run, steps=(replace(step, benchmark=long),)))
    assert data is not None
    assert data["order"] == ["Baseline", "toy_candidate.onnx"]
    assert len(data["points"]) == 40


def test_the_file_is_drawn_by_the_operators_that_read_its_tensors() -> None:
    data = weight_data(tried())
    assert data is not None
    assert {bar["operator"]: round(bar["mb"] * 1e6) for bar in data["bars"]} == STORED_BYTES
    assert sum(bar["share"] for bar in data["bars"]) == pytest.approx(1)


def analysed(groups: list[GroupSensitivity], timed: str = "Host Estimate (not target hardware)") -> Run:
    found = build.analysed().sensitivity
    return replace(tried(), sensitivities=(replace(found, groups=tuple(groups), timed=timed),))


def group(name: str, error: float | None, saved: float | None = 0.1) -> GroupSensitivity:
    return replace(build.analysed().sensitivity.groups[0], name=name, alone_error=error, saved_share=saved)


@pytest.mark.promise("P6")
def test_the_groups_that_cost_most_are_drawn_worst_first_with_the_time_that_they_save() -> None:
    groups = [group(f"/features/{n}/conv", 0.5 / (n + 1), 0.2 - 0.01 * n) for n in range(30)]
    data = sensitivity_data(analysed(groups))
    assert data is not None
    assert [bar["error"] for bar in data["bars"]] == [each.alone_error for each in groups[:GROUPS_SHOWN]]
    assert [bar["saved"] for bar in data["bars"]] == [each.saved_share for each in groups[:GROUPS_SHOWN]]
    assert data["groups"] == len(groups)
    (picture,) = draw_data({"sensitivity": data}).pictures
    assert Image.open(io.BytesIO(picture.png)).width >= 800
    assert "Host Estimate (not target hardware)" in str(picture.specification["title"])
    assert picture.described.startswith("1. /features/0/conv error 0.5; ")


def test_groups_whose_names_end_alike_stay_apart_and_an_error_that_is_no_number_says_so() -> None:
    data = sensitivity_data(analysed([group(f"{n}{'/a/very/long/path' * 4}", None) for n in range(3)]))
    assert data is not None
    assert len({bar["group"] for bar in data["bars"]}) == 3
    assert {bar["said"] for bar in data["bars"]} == {"no numbers"}


def test_groups_without_times_are_drawn_alone_and_no_analysis_is_not_drawn() -> None:
    data = sensitivity_data(analysed([group("a", 0.1, None), group("b", 0.0, None)], timed=""))
    assert data is not None
    assert len(charts.specification("sensitivity", data)["hconcat"]) == 1
    assert sensitivity_data(tried()) is None


def test_before_the_baseline_there_is_nothing_to_draw(tmp_path: Path) -> None:
    assert picture_data(build.run_in(Phase.PROFILE), raw_times(tmp_path)) == {}


def test_each_picture_is_a_png_wide_enough_for_a_chat_and_says_in_words_what_it_shows(drawn: Drawn) -> None:
    names = ["tradeoff", "latency", "drift", "operators", "weights", "sizes"]
    assert [picture.name for picture in drawn.pictures] == names
    for picture in drawn.pictures:
        image = Image.open(io.BytesIO(picture.png))
        assert 800 <= image.width <= 1400
        assert len(picture.png) < 300_000
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20  # not blank
        assert picture.described.endswith(".")
    tradeoff = drawn.pictures[0]
    assert all(word in tradeoff.described for word, *_ in TRIED)


@pytest.mark.promise("P6")
def test_a_picture_of_times_says_where_they_were_taken(drawn: Drawn) -> None:
    for picture in drawn.pictures:
        if picture.name not in {"sizes", "weights"}:
            assert "Host Estimate (not target hardware)" in str(picture.specification["title"])


def test_the_floor_is_visible(drawn: Drawn) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(drawn.pictures[0].png)).convert("RGB")).astype(int)
    vermilion = np.abs(pixels - np.array([0xD5, 0x5E, 0x00])).sum(axis=2) < 30
    assert vermilion.sum(axis=1).max() > 300  # a line across the picture


def test_without_the_extra_there_are_no_pictures_and_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _name: None)
    assert draw(tried(), raw_times(tmp_path)) == Drawn()
