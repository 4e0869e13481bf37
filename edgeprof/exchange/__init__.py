"""Results on their way out and in: CSV, Parquet, MLflow, evidence bundles, and what other tools measured."""

from edgeprof.exchange.bundle import Verified, verify, write_bundle
from edgeprof.exchange.foreign import Given, read_any, read_foreign
from edgeprof.exchange.mlflow import EXPERIMENT, Exported, export_runs
from edgeprof.exchange.parquet import write_cells, write_samples
from edgeprof.exchange.tables import figures_csv, samples_csv

__all__ = [
    "EXPERIMENT",
    "Exported",
    "Given",
    "Verified",
    "export_runs",
    "figures_csv",
    "read_any",
    "read_foreign",
    "samples_csv",
    "verify",
    "write_bundle",
    "write_cells",
    "write_samples",
]
