"""Metrics, reasons and facts in words; what is not listed still reads, from its own name."""

import re

_METRICS = {
    "latency_ns": "latency",
    "guest_instructions": "guest instructions",
    "gzip_bytes": "size by gzip",
    "anonymous_growth_bytes": "weights and arena (anonymous growth)",
    "file_backed_growth_bytes": "model file and mapped code (growth)",
    "peak_rss_bytes": "peak RSS",
    "runtime_bytes": "runtime's library",
    "agent_bytes": "agent's own process",
    "cpu_wall_ratio": "processor time of wall time",
    "start_ns": "start to the first result",
    "cold_start_ns": "cold start to the first result",
    "cold_process_start_ns": "cold: process start (Python is warm)",
    "cold_runtime_load_ns": "cold: runtime load",
    "cold_model_load_ns": "cold: model load",
    "cold_allocate_ns": "cold: allocate",
    "cold_first_inference_ns": "cold: first inference",
    "top1_ratio": "top-1 accuracy",
    "top5_ratio": "top-5 accuracy",
    "float_top1_ratio": "top-1 of the float model",
    "drop_points": "drop against the float model",
    "f1_ratio": "F1 (mean over classes)",
    "auc_ratio": "area under the ROC curve",
    "iou_ratio": "intersection over union",
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "float_model_agreement_ratio": "agreement with the float model",
    "float_model_sqnr_db": "signal to error against the float model",
    "host_agreement_ratio": "agreement with the host",
    "host_sqnr_db": "signal to error against the host",
    "dynamic_energy_per_inference_uj": "energy per inference above idle",
    "sustained_first_ns": "sustained: at first",
    "sustained_last_ns": "sustained: at the end",
    "slow_after_s": "sustained: 10 % slower from",
}
_TOP = re.compile(r"top(\d+)_ratio")
_UNITS = ("_ns", "_s", "_bytes", "_ratio", "_points", "_mw", "_uj", "_mc", "_khz", "_db")


def metric_words(name: str) -> str:
    """Return a metric's name for people: `first inference` of `first_inference_ns`."""
    if name in _METRICS:
        return _METRICS[name]
    if top := _TOP.fullmatch(name):
        return f"top-{top[1]} accuracy"
    bare = next((name.removesuffix(unit) for unit in _UNITS if name.endswith(unit)), name)
    return bare.replace("_", " ")


def reason_words(code: str | None) -> str:
    """Return a reason code for people: `too few samples`."""
    return (code or "").replace("_", " ")
