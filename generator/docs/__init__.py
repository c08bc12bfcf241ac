"""Generated documentation: the profile's JSON schema and the tables of README and docs."""
