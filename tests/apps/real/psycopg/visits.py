import os
from pathlib import Path

from flask import Flask
from psycopg_pool import ConnectionPool

# Made once and opened in each worker (hooks.py): a connection cannot be shared by processes.
password = Path(os.environ["DB_PASSWORD_FILE"]).read_text().strip()
pool = ConnectionPool(os.environ["DATABASE_URL"], kwargs={"password": password}, max_size=10, timeout=30, open=False)
app = Flask(__name__)


@app.get("/ready")
def ready():
    with pool.connection() as connection:
        return {"pages": connection.execute("SELECT count(*) FROM visits").fetchone()[0]}


@app.get("/visit/<page>")
def visit(page):
    with pool.connection() as connection:
        found = connection.execute(
            "INSERT INTO visits VALUES (%s, 1) ON CONFLICT (page) DO UPDATE SET count = visits.count + 1"
            " RETURNING count, pg_backend_pid()",
            [page],
        ).fetchone()
    return {"count": found[0], "connection": found[1], "worker": os.getpid()}
