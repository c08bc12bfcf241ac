"""What people write: the YAML document with positions, field types, the schema of a profile, and loading."""
