"""What compression is worth: `make bench-compress`, or `python -m benchmarks.compress`.

Read `__main__` from top to bottom; `subjects` says which models, data and recipes, `measuring` what is done with each,
`figures` what is read of what was stored, `page` how docs/compression-figures.md is written.
"""
