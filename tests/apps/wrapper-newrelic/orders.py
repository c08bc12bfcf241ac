import newrelic.agent
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return {"traced": newrelic.agent.current_transaction() is not None}
