from importlib.metadata import version

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return {name: version(name) for name in ("colorama", "gunicorn", "packaging")}
