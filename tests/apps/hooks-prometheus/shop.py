from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest, multiprocess

REQUESTS = Counter("shop_requests", "Requests of all workers.")
WORKER = Gauge("shop_worker", "Each worker that lives and has had a request.", multiprocess_mode="liveall")
app = Flask(__name__)


@app.get("/")
def index():
    REQUESTS.inc()
    WORKER.set(1)
    return {"counted": True}


@app.get("/ready")
def ready():
    return "ok"


@app.get("/metrics")
def metrics():
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
