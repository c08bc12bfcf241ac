"""The load client (client.py and what it imports), and `prove`, which walks the claims of a profile with it."""
