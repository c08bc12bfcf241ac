from flask import Flask
from opentelemetry import trace

app = Flask(__name__)


@app.get("/")
def index():
    return {"traced": trace.get_current_span().get_span_context().is_valid}
