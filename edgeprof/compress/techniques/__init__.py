"""Compression steps that no library has: each makes a new `tf_keras` model of one. Child only.

`graph` reads and rebuilds a model, `coupling` finds which channels stand or fall together, `importance` scores
weights and channels; `channels`, `lowrank`, `distillation`, `discrete` and `masks` are the steps, `sensitivity` the
scan that helps to choose among them.
"""
