"""Stored runs beside one another: what may be compared, by how much they differ, and which of them is worth having."""

from edgeprof.compare.accuracy import AccuracyChange, accuracy_changes
from edgeprof.compare.conditions import AXES, Axis, Change
from edgeprof.compare.energy import EnergyChange, relate_energy
from edgeprof.compare.matrix import Cell, Matrix, relate
from edgeprof.compare.pareto import Ranked, fronts
from edgeprof.compare.quantised import Finding, Reason, findings

__all__ = [
    "AXES",
    "AccuracyChange",
    "Axis",
    "Cell",
    "Change",
    "EnergyChange",
    "Finding",
    "Matrix",
    "Ranked",
    "Reason",
    "accuracy_changes",
    "findings",
    "fronts",
    "relate",
    "relate_energy",
]
