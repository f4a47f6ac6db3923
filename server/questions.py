"""What the guards are asked: a request with the operator's policy and what is enrolled at this moment."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from edgewright.server import requests
from edgewright.server.house import House
from edgewright.state.artifacts import Device
from edgewright.state.asked import Asked
from edgewright.state.errors import EdgewrightError
from edgewright.state.phases import Call
from edgewright.state.protocols import ProtocolName

USUAL_TOLERANCE = 0.02
"""Relative drop; the seed's default, and close to MLPerf's 99 % of the reference."""
# In every format; of other schemes, whoever knows the format asks for calibration data.
_NEED_CALIBRATION = frozenset({"int8_static", "int8_mixed"})


def asked(request: requests.Request, house: House) -> Asked:
    """Return what the guards need to know of a request."""
    question = _QUESTIONS.get(type(request))
    if question is None:
        raise EdgewrightError(f"{type(request).__name__} asks the guards nothing")
    call, facts = question(request, house)
    return Asked(call, house.settings.policy, datetime.now(UTC), **facts)


def tolerance_of(request: requests.ProfileModel, house: House) -> float:
    """Return the tolerance asked for; the usual one, as far as the operator allows it, where none was."""
    if request.accuracy_tolerance is not None:
        return request.accuracy_tolerance
    return min(USUAL_TOLERANCE, house.settings.tolerance_cap)


def _enrolled(house: House) -> Mapping[str, Device]:
    return {target.alias: target.kind for target in house.targets.all()}


Question = tuple[Call, dict[str, Any]]  # the fields of `Asked`, each of its own type


def _profile(request: requests.ProfileModel, house: House) -> Question:
    return Call.PROFILE_MODEL, {
        "tolerance": tolerance_of(request, house),
        "metric": request.metric,
        "device": request.target_device,
        "target": request.target,
        "enrolled": _enrolled(house),
    }


def _quantize(request: requests.Quantize, _house: House) -> Question:
    return Call.QUANTIZE, {"base": request.base, "needs_calibration": request.scheme in _NEED_CALIBRATION}


def _analyze(request: requests.AnalyzeSensitivity, _house: House) -> Question:
    return Call.ANALYZE, {"base": request.base, "needs_calibration": True}


def _convert(request: requests.Convert, _house: House) -> Question:
    return Call.CONVERT, {"base": request.base}


def _benchmark(request: requests.Benchmark, house: House) -> Question:
    named = ProtocolName(request.protocol) if request.protocol else None
    return Call.BENCHMARK, {"enrolled": _enrolled(house), "protocol": named}


def _validate(_request: requests.Validate, _house: House) -> Question:
    return Call.VALIDATE, {}


def _decide(request: requests.Decide, _house: House) -> Question:
    return (Call.KEEP if request.decision == "keep" else Call.REVERT), {}


def _accept(request: requests.AcceptTradeoff, _house: House) -> Question:
    return Call.ACCEPT, {"kind": request.kind or ""}


def _package(_request: requests.Package, house: House) -> Question:
    return Call.PACKAGE, {"enrolled": _enrolled(house)}


# Each takes the request that it stands beside.
_QUESTIONS: Mapping[type[requests.Request], Callable[[Any, House], Question]] = MappingProxyType(
    {
        requests.ProfileModel: _profile,
        requests.AnalyzeSensitivity: _analyze,
        requests.Quantize: _quantize,
        requests.Convert: _convert,
        requests.Benchmark: _benchmark,
        requests.Validate: _validate,
        requests.Decide: _decide,
        requests.AcceptTradeoff: _accept,
        requests.Package: _package,
    }
)
