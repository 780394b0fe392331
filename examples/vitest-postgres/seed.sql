CREATE TABLE account (
  id integer PRIMARY KEY,
  owner text NOT NULL,
  balance integer NOT NULL CHECK (balance >= 0)
);
INSERT INTO account SELECT n, 'owner ' || n, 100 FROM generate_series(1, 1000) AS n;
ANALYZE;
