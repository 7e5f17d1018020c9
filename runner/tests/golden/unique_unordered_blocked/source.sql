CREATE TABLE trades (ref TEXT, price DECIMAL(18,4), qty INTEGER, live BOOLEAN, day DATE, at TIMESTAMP, note TEXT);
INSERT INTO trades (ref, qty) VALUES ('A', 1), ('B', 2), ('B', 3), ('C', 1);
