"""A shop: a src layout that its own requirements install in place, with a template that no package data names."""

import getpass

import money
import packaging
from flask import Flask, render_template


def create_app():
    app = Flask(__name__)

    @app.get("/")
    def index():
        title = render_template("title.txt")
        return {"user": getpass.getuser(), "price": money.ONE, "packaging": packaging.__version__, "title": title}

    return app
