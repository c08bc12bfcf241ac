def post_fork(server, worker):
    from visits import pool

    pool.open()
