"""Files on disk: ownership, drift and an atomic write."""
