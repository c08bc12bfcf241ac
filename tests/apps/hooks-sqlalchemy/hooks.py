def post_fork(server, worker):
    from shop import engine

    # What the pool opened before the fork is the master's: forgotten here, closed by nobody else.
    engine.dispose(close=False)
