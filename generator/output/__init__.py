"""Files on disk: lock, ownership, drift, journal, and a write that is whole or not at all; it never looks inside."""
