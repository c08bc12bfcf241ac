import subprocess
import sys
from functools import cache

import gevent
import grpc
from flask import Flask

app = Flask(__name__)
# Instead of a server elsewhere.
subprocess.Popen([sys.executable, "backend.py"])


@cache
def channel():
    return grpc.insecure_channel("127.0.0.1:50051")


def call():
    return channel().unary_unary("/Meeting/Meet")(b"", timeout=60, wait_for_ready=True).decode()


@app.get("/ready")
def ready():
    return "ok"


@app.get("/")
def index():
    return {"calls": [one.get() for one in [gevent.spawn(call) for _ in range(4)]]}
