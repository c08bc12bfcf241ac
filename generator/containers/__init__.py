"""The Docker client: commands, images, containers."""
