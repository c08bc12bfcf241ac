"""The user's project, read but never run: what its dependency files need of a build, and what cannot work there."""
