"""edgeprof: what a Keras model costs on a board, measured and comparable."""


def version() -> str:
    """Return the installed version."""
    from importlib.metadata import version as installed  # noqa: PLC0415 - 20 ms that few commands need

    return installed("edgeprof")
