"""An app that keeps on a volume what it is given; runs in the pods of test_volumes.py."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request

app = Flask(__name__)
NOTES = Path("/data/notes")


@app.get("/readyz")
@app.get("/healthz")
def ready() -> str:
    return "ok"


@app.post("/notes")
def add() -> str:
    with NOTES.open("a") as file:
        file.write(f"{request.get_data(as_text=True)}\n")
    return "kept"


@app.get("/notes")
def notes() -> str:
    return NOTES.read_text()
