from importlib.metadata import version
from importlib.util import find_spec

import lines
from flask import Flask

application = Flask(__name__)


@application.get("/")
def index():
    return {"gunicorn": version("gunicorn"), "flask": version("flask"), "line": lines.FIRST, "dev": find_spec("colorama") is not None}
