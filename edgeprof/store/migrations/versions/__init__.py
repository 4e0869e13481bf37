"""One file a schema number."""
