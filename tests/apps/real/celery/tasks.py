import os

from celery import Celery
from flask import Flask, request

app = Flask(__name__)
celery = Celery("tasks", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
celery.conf.broker_connection_retry_on_startup = True


@celery.task
def add(a, b):
    return a + b


@app.get("/ready")
def ready():
    return "ok"


@app.get("/add")
def start():
    return {"task": add.delay(request.args.get("a", 0, int), request.args.get("b", 0, int)).id}


@app.get("/result/<task>")
def result(task):
    found = celery.AsyncResult(task)
    return {"ready": found.ready(), "sum": found.result if found.successful() else None}
