"""Reading the user's project."""
