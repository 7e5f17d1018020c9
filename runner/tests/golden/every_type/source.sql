CREATE TABLE trades (ref TEXT, price DECIMAL(18,4), qty INTEGER, live BOOLEAN, day DATE, at TIMESTAMP, note TEXT);
INSERT INTO trades VALUES
  ('T-1', '101.2500', 10, 1, '2026-03-01', '2026-03-01 09:00:00', 'plain'),
  ('T-2', '-0.0001', -3, 0, '2026-03-01', '2026-07-01 09:00:00.000500', 'a "quote", a comma'),
  ('T-3', NULL, NULL, NULL, NULL, NULL, NULL),
  ('T-4', '1234567890.1234', 9007199254740993, 1, '2024-02-29', '2026-03-01T09:00:00Z', '');
