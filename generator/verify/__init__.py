"""What the consumers of the output accept, checked before anything is written."""
