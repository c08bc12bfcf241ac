import os

from flask import Flask
from sqlalchemy import create_engine, event, text

engine = create_engine("sqlite:////tmp/shop.sqlite3")


@event.listens_for(engine, "connect")
def note(connection, record):
    record.info["opened_by"] = os.getpid()


# At import, which is in the master: the pool keeps the connection.
with engine.connect() as connection:
    connection.execute(text("SELECT 1"))
app = Flask(__name__)


@app.get("/")
def index():
    with engine.connect() as connection:
        return {"opened_by_this_worker": connection.info["opened_by"] == os.getpid()}
