CREATE TABLE trades (ref TEXT, price DECIMAL(18,4), qty INTEGER, live BOOLEAN, day DATE, at TIMESTAMP, note TEXT);
