"""The numbers of one profile, each with its reason, and the texts that templates show."""
