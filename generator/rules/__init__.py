"""What profile, server and numbers together must not be."""
