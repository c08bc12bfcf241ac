"""Booting containers for the tests: engine, base image, side-cars, a thin wrapper around docker."""
