"""edgeprof: what a Keras model costs on a board, measured and comparable."""

from importlib.metadata import version

__version__ = version("edgeprof")
