"""What a search says for itself: what it tried, what it left in float32, and what that cost."""

from edgewright.state.evidence import Ratio
from edgewright.tools.legible import legible
from edgewright.tools.optimize.search.mix import Mixer
from edgewright.tools.optimize.search.search import Search, Tried

# Lines about single groups; beyond these the recipe has them all.
MOST_LINES = 20


def lines(search: Search, found: Tried | None, mixer: Mixer, a_pass: int) -> tuple[str, ...]:
    """Return the account of a search, a sentence a line without a full stop.

    Args:
        search: It, at its end.
        found: What it found.
        mixer: Knows the groups.
        a_pass: Samples of one evaluation, in which the cost is said.
    """
    spent = search.samples / a_pass
    said = [
        f"{len(search.tried)} mixes were judged on the calibration set by {search.measure}, and may lose "
        f"{search.allowed:.2%} there; it cost {spent:.1f} evaluations of {a_pass} samples",
        *(_tried(each, mixer, search.times.get(each.mix)) for each in search.tried),
    ]
    if found is not None:
        kept = [name for name in mixer.groups if name not in found.mix.quantised]
        said.append(
            f"{len(found.mix.static)} of {len(mixer.groups)} groups compute in int8 with calibrated ranges, "
            f"{len(found.mix.dynamic)} in int8 as activations come, {len(kept)} in float32{_pace(search, found)}"
        )
        said += [_kept(name, search, mixer) for name in kept[:MOST_LINES]]
    return tuple(said)


def _pace(search: Search, found: Tried) -> str:
    if not search.measured:
        return "; times are estimated from multiply-accumulates, since none was measured on the device"
    ratio = search.times[found.mix]
    return f"; in {ratio.median:.3f} of float32's time ({ratio.low:.3f} to {ratio.high:.3f})"


def _tried(tried: Tried, mixer: Mixer, ratio: Ratio | None) -> str:
    verdict = "passes" if tried.judged.passes else "fails"
    dynamic = f", {len(tried.mix.dynamic)} of them dynamic" if tried.mix.dynamic else ""
    pace = f", in {ratio.median:.3f} of float32's time" if ratio else ""
    return (
        f"{len(tried.mix.quantised)} of {len(mixer.groups)} groups in int8{dynamic}: a relative loss of "
        f"{tried.judged.drop:.2%} on {tried.judged.samples} samples {verdict}{pace}"
    )


def _kept(name: str, search: Search, mixer: Mixer) -> str:
    """Say why a group stays in float32."""
    reasons = []
    if name in search.errors:
        reasons.append(f"alone in int8 it moves the outputs by {search.errors[name]:.2g} of their squares")
    if name in search.savings:
        saving = search.savings[name]
        reasons.append(f"int8 saves {saving:.1%} of float32's time" if saving > 0 else "int8 saves no time there")
    why = " and ".join(reasons) or "its form was not among those of the fastest mix"
    return f"in float32: {legible(name, 80)} ({mixer.groups[name].op_type}): {why}"
