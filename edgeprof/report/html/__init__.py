"""Runs as one HTML file that needs nothing else: no server, no network, no library."""

from edgeprof.report.html.page import page, write_page

__all__ = ["page", "write_page"]
