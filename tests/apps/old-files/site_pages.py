import os
import sys
from pathlib import Path

from flask import Flask

import env

app = Flask(__name__)


@app.get("/")
def index():
    here = sorted(str(path) for path in Path().rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    own = [path for path in here if not path.startswith(("docker/", "k8s/"))]
    built = Path("static/built.txt").read_text()
    return {"files": own, "built": built, "env": env.x, "greeting": os.environ["GREETING"]}


if __name__ == "__main__":
    Path("static").mkdir()
    Path("static/built.txt").write_text(f"{os.environ['GREETING']} {sys.argv[1]}")
