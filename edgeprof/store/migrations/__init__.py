"""Alembic's migrations of the store: one a schema number, each from the number before it."""
