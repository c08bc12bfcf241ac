"""The load client and what runs beside it in the load container: it imports nothing of ours and runs as files."""
