"""AI Edge Quantizer: recipes for the schemes, ranges from a stream of samples, and the quantised file.

Its own calibration averages ranges with a weight of 0.05 for each new sample, so the last ones decide; here they are
the extremes of all samples, in any order. Samples pass one by one: one inference's activations are alive at a time.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_quantizer import qtyping, quantizer, recipe, recipe_manager
from ai_edge_quantizer.calibrator import Calibrator
from ai_edge_quantizer.utils.qsv_utils import min_max_update

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import legible
from edgewright.tools.runtimes.litert import schema

THREADS = 1
SIGNATURE = "serving_default"
Ranges = Mapping[str, Mapping[str, Any]]
_Operation = qtyping.TFLOperationName
_Algorithm = recipe.AlgorithmName


@dataclass(frozen=True)
class Bits:
    """What a scheme makes of a model.

    Attributes:
        weights: Bits of weights: 8, or 16 for float16.
        activations: Bits of activations with fixed ranges; `None` where they stay in float32.
        integer_compute: Whether float32 activations are quantised as they come, so that products are of integers.
        integer_io: Whether inputs and outputs are integers too.
        per_channel: Whether each output channel of a weight has its own scale.
        exclude: Operators that stay as they are, each by the names of all its outputs.
    """

    weights: int
    activations: int | None = None
    integer_compute: bool = False
    integer_io: bool = False
    per_channel: bool = True
    exclude: tuple[tuple[str, ...], ...] = ()


def quantize(source: Path, made: Path, bits: Bits, ranges: Ranges | None = None) -> None:
    """Write a quantised file.

    Args:
        source: A model in float32.
        made: Where the result goes.
        bits: What to make of it.
        ranges: What `activation_ranges` found, where activations get fixed ranges.
    """
    found = None if ranges is None else {name: dict(range_) for name, range_ in ranges.items()}
    with _quiet():
        result = quantizer.Quantizer(str(source), _recipe(bits)).quantize(found, enable_progress_report=False)
    model = schema.read(bytes(result.quantized_model))
    _reopen(model)
    made.write_bytes(schema.write(model))


def activation_ranges(
    source: Path, feeds: Iterable[Mapping[str, np.ndarray[Any, Any]]], signature: str, bits: Bits
) -> Ranges:
    """Return the extremes of every activation that a recipe needs ranges of.

    Args:
        source: A model in float32.
        feeds: Input name, as the signature has it, to array with its batch dimension.
        signature: Key of the signature.
        bits: What will be made of it.

    Raises:
        Refused: MODEL_NOT_FINITE, if an activation is NaN or infinite on a sample.
    """
    recipes = recipe_manager.RecipeManager()
    recipes.load_quantization_recipe(_recipe(bits))
    with _quiet():
        calibrator = Calibrator(str(source), num_threads=THREADS, qsv_update_func=min_max_update)
        for feed in feeds:
            calibrator.calibrate({signature: [dict(feed)]}, recipes)
    ranges: Ranges = calibrator.get_model_qsvs()
    for name, found in ranges.items():
        if not all(np.isfinite(found[end]).all() for end in ("min", "max") if end in found):
            raise Refused.because(
                Code.MODEL_NOT_FINITE,
                "calibrating on these samples",
                f"the activation '{legible(name)}' is infinite or NaN on one of them",
                "look for an overflow in the model, or for samples far outside what it was trained on",
                "P7",
                tensor=legible(name),
            )
    return ranges


def _reopen(model: schema.Model) -> None:
    """Give the tensors behind new casts the open sizes of those before them, which the quantiser (0.10) forgets."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode not in schema.CASTS:
                continue
            before, after = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
            if after.shapeSignature is None:
                after.shapeSignature = before.shapeSignature


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a progress bar for each sample out of the log, and a warning of the memory that all activations take."""
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore", UserWarning)
        yield


def _recipe(bits: Bits) -> qtyping.ModelQuantizationRecipe:
    """Return a scheme as the quantiser's rules; a later one goes before an earlier one."""
    rules = recipe_manager.RecipeManager()
    granularity = qtyping.QuantGranularity.CHANNELWISE if bits.per_channel else qtyping.QuantGranularity.TENSORWISE
    every = {"regex": ".*", "operation_name": _Operation.ALL_SUPPORTED}
    if bits.activations is not None:
        rules.add_static_config(
            **every,
            activation_num_bits=bits.activations,
            weight_num_bits=bits.weights,
            weight_granularity=granularity,
        )
        for end in () if bits.integer_io else (_Operation.INPUT, _Operation.OUTPUT):
            rules.add_quantization_config(regex=".*", operation_name=end, algorithm_key=_Algorithm.NO_QUANTIZE)
    elif bits.weights == 16:
        rules.add_weight_only_config(**every, num_bits=16, algorithm_key=_Algorithm.FLOAT_CASTING)
    else:
        add = rules.add_dynamic_config if bits.integer_compute else rules.add_weight_only_config
        add(**every, num_bits=bits.weights, granularity=granularity)
    for outputs in bits.exclude:
        rules.add_quantization_config(
            regex=_scope(outputs), operation_name=_Operation.ALL_SUPPORTED, algorithm_key=_Algorithm.NO_QUANTIZE
        )
    return rules.get_quantization_recipe()


def _scope(outputs: Sequence[str]) -> str:
    """Return what matches exactly the operator with these outputs: the quantiser joins their names with semicolons."""
    return f"^{';'.join(map(re.escape, outputs))};?$"
