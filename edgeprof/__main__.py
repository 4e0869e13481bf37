"""`python -m edgeprof`."""

from edgeprof.cli import main

main()
