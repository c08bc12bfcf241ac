from ddtrace.trace import tracer
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return {"traced": tracer.current_span() is not None}
