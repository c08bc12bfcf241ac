"""Flask's development server: `server: flask`."""
