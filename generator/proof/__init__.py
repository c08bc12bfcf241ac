"""`prove`: the claims of a profile, walked on a booted container."""
