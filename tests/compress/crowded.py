"""A child that writes to a disk that is full."""

with open("/dev/full", "wb", buffering=0) as full:
    full.write(b"a model")
