"""HTML pages for people: one self-contained file each, its charts drawn by Vega-Lite when it is written."""
