from importlib.metadata import version
from importlib.util import find_spec

import money
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return {
        "gunicorn": version("gunicorn"),
        "itself": version("ledger"),
        "price": money.ONE,
        "flask": version("flask"),
        "dev": find_spec("colorama") is not None,
        "slugify": version("python-slugify"),
        "tool": find_spec("uv") is not None,
    }
