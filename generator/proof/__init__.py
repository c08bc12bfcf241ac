"""The load client that proves a profile: standard library only, so that it runs in any Python 3 container."""
