from visits import pool

with pool, pool.connection() as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS visits (page text PRIMARY KEY, count int NOT NULL)")
