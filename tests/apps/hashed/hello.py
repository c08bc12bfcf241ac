from importlib.metadata import version

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return {"packaging": version("packaging"), "flask": version("flask")}
