"""Low rank: a layer of many weights becomes two or three with fewer, which compute nearly the same.

A Dense layer or a 1×1 convolution becomes two, any other convolution becomes a 1×1, a smaller one and another 1×1; see
`factors` for how. The last of them keeps the layer's name, bias and activation.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.techniques.factors import Factors, decompose, ranks_for, recomposed
from edgeprof.compress.techniques.graph import Layer, Model, Part, calls, copy_layer, rebuild
from edgeprof.errors import ModelError

_KINDS = ("Dense", "Conv2D")
_BISECTIONS = 40


@dataclass(frozen=True, slots=True)
class Lowered:
    """What became of one layer.

    Attributes:
        layer: Its name.
        ranks: Its rank, or the two of a Tucker-2 decomposition; nothing where it stayed as it was.
        macs_before: Multiply-accumulates, over all its calls.
        macs: Afterwards.
        error: Relative error of its kernel, 0 to 1: the root of the energy lost.
        reason: Why it stayed as it was, or nothing.
    """

    layer: str
    ranks: tuple[int, ...]
    macs_before: int
    macs: int
    error: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Site:
    """A layer that could be lowered, with the places it works at: one for each element of its map in and out."""

    layer: Layer
    factors: Factors
    places_in: int
    places_out: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.layer.kernel.shape)

    @property
    def macs(self) -> int:
        return self.places_out * math.prod(self.shape)


def lower(
    model: Model, *, energy: float | None, share: float | None, leave: tuple[str, ...] = ()
) -> tuple[Model, list[Lowered]]:
    """Return a new model with layers of lower rank where that saves multiply-accumulates, and what became of each.

    Args:
        model: A functional `tf_keras` model.
        energy: Share of each kernel's squared norm that its rank keeps; or `None`.
        share: Share of the multiply-accumulates of all such layers that may be left: the highest energy that
            achieves it is taken; or `None`. One of the two is given.
        leave: Names of layers to leave as they are.

    Raises:
        ModelError: No layer can become cheaper, or not by so much; says why for each.
    """
    sites, skipped = _sites(model, leave)
    if not sites:
        raise ModelError(f"`{model.name}` has no layer that low rank could make cheaper", _reasons(skipped))
    kept = _energy_for(sites, share) if energy is None else energy
    plans = {site.layer.name: _plan(site, kept) for site in sites}
    if not any(plan.ranks for plan in plans.values()):
        raise ModelError(
            f"with {kept:.1%} of the energy kept no layer of `{model.name}` becomes cheaper",
            f"keep less, or use channel pruning: {_reasons(list(plans.values()))}",
        )
    by_name = {site.layer.name: site for site in sites}

    def change(layer: Layer) -> list[Part] | None:
        plan = plans.get(layer.name)
        return _parts(by_name[layer.name], plan.ranks) if plan and plan.ranks else None

    return rebuild(model, change), [*plans.values(), *skipped]


def _sites(model: Model, leave: tuple[str, ...]) -> tuple[list[_Site], list[Lowered]]:
    """Return the layers that could be lowered, and those that could not with the reason."""
    layers: dict[str, Layer] = {}
    places: dict[str, list[int]] = {}
    for call in calls(model):
        if type(call.layer).__name__ in _KINDS:
            layers[call.layer.name] = call.layer
            known = places.setdefault(call.layer.name, [0, 0])
            known[0] += math.prod(call.inputs[0].shape[1:-1])
            known[1] += math.prod(call.outputs[0].shape[1:-1])
    sites, skipped = [], []
    for name, layer in layers.items():
        before, after = places[name]
        reason = _unfit(layer, leave)
        if reason:
            macs = after * math.prod(layer.kernel.shape)
            skipped.append(Lowered(name, (), macs, macs, reason=reason))
        else:
            sites.append(_Site(layer, decompose(layer.kernel.numpy()), before, after))
    return sites, skipped


def _unfit(layer: Layer, leave: tuple[str, ...]) -> str:
    if layer.name in leave:
        return "you said so"
    if getattr(layer, "groups", 1) != 1:
        return "its channels are in groups"
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return "its channels come first"
    if min(layer.kernel.shape[-2:]) == 1:
        return "it has rank 1 already"
    return ""


def _plan(site: _Site, energy: float) -> Lowered:
    ranks, whole = ranks_for(site.factors, energy), site.macs
    cost = _cost(site, ranks)
    if cost >= whole:
        rank = f"rank {' and '.join(map(str, ranks))} of {' and '.join(map(str, site.shape[-2:]))} channels"
        return Lowered(site.layer.name, (), whole, whole, reason=f"{rank} costs {cost:,} MACs instead of {whole:,}")
    kernel = site.layer.kernel.numpy().astype(np.float64)
    lost = float(np.linalg.norm(recomposed(site.factors, ranks).ravel() - kernel.ravel()))
    norm = float(np.linalg.norm(kernel))
    return Lowered(site.layer.name, ranks, whole, cost, lost / norm if norm else 0.0)


def _cost(site: _Site, ranks: tuple[int, ...]) -> int:
    """Return the multiply-accumulates with these ranks."""
    channels, filters = site.shape[-2:]
    a, b = ranks[0], ranks[-1]
    if site.factors.is_matrix:
        return site.places_out * a * (channels + filters)  # the strides go to the first of the two
    return site.places_in * channels * a + site.places_out * (math.prod(site.shape[:2]) * a * b + b * filters)


def _energy_for(sites: list[_Site], share: float | None) -> float:
    """Return the most energy with which at most `share` of the multiply-accumulates is left."""
    whole = sum(site.macs for site in sites)
    left = _left_at(sites)
    if share is None or left(0.0) > share * whole:
        raise ModelError(
            f"low rank leaves at least {left(0.0) / whole:.0%} of the multiply-accumulates, more than asked for",
            f"ask for `budget = {math.ceil(100 * left(0.0) / whole) / 100:.2f}` or more",
        )
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) <= share * whole else (low, middle)
    return low


def _left_at(sites: list[_Site]) -> Callable[[float], int]:
    return lambda energy: sum(min(site.macs, _cost(site, ranks_for(site.factors, energy))) for site in sites)


def _reasons(found: Sequence[Lowered]) -> str:
    return "; ".join(f"`{one.layer}`: {one.reason}" for one in found[:5]) or "it has no Dense or Conv2D layer"


def _parts(site: _Site, ranks: tuple[int, ...]) -> list[Part]:
    """Return the layers that take a layer's place."""
    layer, factors = site.layer, site.factors
    a, b = ranks[0], ranks[-1]
    if factors.is_matrix:
        root = np.sqrt(factors.core[:a])  # shared between the two, so that both quantise well
        first, last = factors.into[:, :a] * root, (factors.out[:, :a] * root).T
        return [_inner(layer, "in", a, first), _outer(layer, last)]
    strides = {"kernel_size": (1, 1), "strides": (1, 1), "dilation_rate": (1, 1)}
    return [
        _inner(layer, "in", a, factors.into[:, :a], **strides),
        _inner(layer, "core", b, factors.core[:, :, :a, :b]),
        _outer(layer, factors.out[:, :b].T),
    ]


def _inner(layer: Layer, part: str, size: int, kernel: Array, **settings: object) -> Part:
    """Return a linear layer without bias, like `layer` but for its output channels."""
    sizes = {"filters" if hasattr(layer, "filters") else "units": size}
    plain = {"use_bias": False, "activation": "linear", "kernel_constraint": None, "activity_regularizer": None}
    made = copy_layer(layer, name=f"{layer.name}_{part}", **plain, **sizes, **settings)
    return Part(made, [_shaped(layer, kernel)])


def _outer(layer: Layer, kernel: Array) -> Part:
    """Return the layer that mixes channels back, at each place by itself, under the old one's name."""
    settings = {"kernel_size": (1, 1), "strides": (1, 1), "dilation_rate": (1, 1)} if hasattr(layer, "filters") else {}
    made = copy_layer(layer, kernel_constraint=None, **settings)
    return Part(made, [_shaped(layer, kernel), *([layer.bias.numpy()] if layer.use_bias else [])])


def _shaped(layer: Layer, kernel: Array) -> Array:
    """Return the kernel in float32, a convolution's with height and width."""
    wide = hasattr(layer, "filters") and kernel.ndim == 2
    return (kernel[None, None] if wide else kernel).astype(np.float32)
