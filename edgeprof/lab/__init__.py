"""Virtual boards."""
