import tides
import waves
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return {"high": tides.HIGH, "height": waves.HEIGHT}
