"""The closed list of warnings: what may spoil a number, and what to do about it."""

from edgeprof.records import Warning_

_WALL = ("latency_ns",)
_LATENCY = (*_WALL, "guest_instructions")
_ENERGY = ("energy_per_inference_uj", "dynamic_energy_per_inference_uj", "power_mw", "idle_power_mw")
_ACCURACY = (
    *("top1_ratio", "top5_ratio", "f1_ratio", "auc_ratio", "iou_ratio", "mae", "mse"),
    *(
        "drop_points",
        "top5_drop_points",
        "f1_drop_points",
        "auc_drop_points",
        "iou_drop_points",
        "mae_loss",
        "mse_loss",
    ),
)

# code -> metrics it may spoil
CODES: dict[str, tuple[str, ...]] = {
    "artifact": (),
    "calibration_range": _ACCURACY,
    "chance_level": _ACCURACY,
    "clipped_inputs": _ACCURACY,
    "clocks_changed": _WALL,
    "coarse_profiler": ("ops",),
    "coarse_outputs": _ACCURACY,
    "constant_outputs": _ACCURACY,
    "device_clock": _WALL,
    "drift": _LATENCY,
    "energy_not_measured": _ENERGY,
    "foreign": (*_LATENCY, *_ENERGY, *_ACCURACY, "first_inference_ns"),
    "gate_timeout": _LATENCY,
    "golden_failed": (*_ACCURACY, *_LATENCY),
    "golden_not_checked": (*_ACCURACY, *_LATENCY),
    "launches_differ": _LATENCY,
    "idle_not_plausible": _ENERGY,
    "idle_drift": ("dynamic_energy_per_inference_uj",),
    "level_changed": _LATENCY,
    "leaked_eval_data": _ACCURACY,
    "leaks_not_checked": _ACCURACY,
    "link_lost": (),
    "loads_not_verified": _ACCURACY,
    "lossy_result": (),
    "not_cold": (),
    "no_profiler": ("ops",),
    "nan_outputs": (*_ACCURACY, *_LATENCY),
    "submodel_failed": ("ops",),
    "no_warm_up": _LATENCY,
    "invented_sensors": _ENERGY,
    "one_class": _ACCURACY,
    "other_load": _WALL,
    "partial_rail": _ENERGY,
    "per_op_failed": ("ops",),
    "preempted": _WALL,
    "profiler_distorts": ("ops",),
    "pin_not_held": (*_WALL, *_ENERGY),
    "powersave_governor": _WALL,
    "proot": _WALL,
    "rate_missed": _WALL,
    "resumed": (),
    "sampler_load": _ENERGY,
    "short_inference": _LATENCY,
    "taken_up": (),
    "short_window": _WALL,
    "target_differs": (),
    "throttled": (*_WALL, *_ENERGY),
    "threads_exceed_cpus": _LATENCY,
    "virtual_machine": _WALL,
}


def warning(code: str, text: str) -> Warning_:
    """Return the warning `code` with its text.

    Raises:
        KeyError: `code` is not in the list: add it there first, with the metrics it spoils.
    """
    return Warning_(code=code, text=text, spoils=CODES[code])
