"""From what already starts gunicorn to the profile that does the same; a comment for each thing changed or dropped."""
