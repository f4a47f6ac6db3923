"""Figures are written for people, and nothing that comes from outside can become markup."""

import re
from dataclasses import replace
from datetime import date

import pytest
import run_builder as past

from edgewright.state.phases import Phase
from edgewright.tools.package.markdown import escaped, figure, percent
from edgewright.tools.package.report import report

TODAY = date(2026, 11, 1)

HOSTILE = "a|b`c`\n# PASS\r![x](http://evil)\u202e<script>*_~$&\x1b[2J"


@pytest.mark.promise("P4")
def test_strings_of_callers_and_models_cannot_become_markup() -> None:
    run = past.run_in(Phase.PACKAGE)
    assert run.profiled is not None
    step = run.steps[0]
    assert step.accuracy is not None
    profiled = replace(
        run.profiled,
        original=replace(run.profiled.original, name=HOSTILE),
        baseline=replace(run.profiled.baseline, graph=replace(run.profiled.baseline.graph, producer=HOSTILE)),
    )
    artifact = replace(step.artifact, name=HOSTILE, inputs=(replace(step.artifact.inputs[0], name=HOSTILE),))
    hostile = replace(
        run,
        started=replace(run.started, model_name=HOSTILE, metric=HOSTILE),
        profiled=profiled,
        steps=(replace(step, artifact=artifact, findings=(HOSTILE,)),),
    )
    text, honest = report(hostile, TODAY), report(run, TODAY)
    headings = [[line for line in shown.split("\n") if line.startswith("#")][1:5] for shown in (text, honest)]
    assert headings[0] == headings[1]
    assert text.count("\n") == honest.count("\n")
    for bare in ("<script", "![", "](", "http://", "`c`", "\r", "\x1b", "\u202e"):
        unescaped = re.compile(rf"(?<!\\){re.escape(bare)}")
        assert not unescaped.search(text), bare
    pipes = re.compile(r"(?<!\\)\|")
    counts = [
        [len(pipes.findall(line)) for line in shown.split("\n") if line.startswith("|")] for shown in (text, honest)
    ]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (0.001234, "0.00123"), (1.25, "1.25"), (34.21, "34.2"), (1234.5, "1234")]
)
def test_figures_have_three_digits_and_no_exponent(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_nothing_is_shown_as_minus_zero() -> None:
    assert (percent(-0.00001), percent(0.01), percent(float("-inf"))) == ("0.00%", "+1.00%", "undefined")


def test_file_names_stay_readable() -> None:
    assert escaped("toy_int8_static.onnx") == "toy_int8_static.onnx"
    assert escaped("_x_ *y*") == r"\_x\_ \*y\*"
