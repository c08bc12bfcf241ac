"""An app that refuses gunicorn 27, as some do that start it themselves."""

from importlib.metadata import version

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello():
    return {"gunicorn": version("gunicorn")}
