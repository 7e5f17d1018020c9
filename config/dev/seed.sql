-- What the demo reports on: 2,000 trades of March 2026, the same on every machine. A few are wrong on purpose:
-- every 400th has no LEI, one has a bad ISIN.
\set ON_ERROR_STOP on
CREATE ROLE reporter LOGIN PASSWORD :'reporter_password';
CREATE ROLE openreg LOGIN CREATEROLE PASSWORD :'openreg_password';
CREATE DATABASE openreg OWNER openreg;
CREATE DATABASE trades;
\connect trades
CREATE TABLE trades (
    trade_ref text PRIMARY KEY,
    trade_time timestamptz NOT NULL,
    buyer_lei text,
    seller_lei text NOT NULL,
    isin text NOT NULL,
    mic text NOT NULL,
    side text NOT NULL,
    quantity numeric(18, 4) NOT NULL,
    price numeric(18, 5) NOT NULL,
    ccy char(3) NOT NULL,
    settlement_date date NOT NULL,
    short_sale boolean NOT NULL,
    trader text
);
INSERT INTO trades
SELECT
    'T' || lpad(i::text, 8, '0'),
    timestamptz '2026-03-01 07:00:00+00' + i * interval '20 minutes',
    CASE WHEN i % 400 = 0 THEN NULL ELSE (ARRAY['529900T8BM49AURSDO55', '9695005MSX1OYEMGDF46', '213800WSGIIZCXF1P572'])[1 + i % 3] END,
    (ARRAY['549300DTUYXVMJXZNY75', '724500VKKSH9QOLTFR81'])[1 + i % 2],
    CASE WHEN i = 1234 THEN 'DE000BASF11' ELSE (ARRAY['DE000BASF111', 'FR0000120271', 'NL0010273215', 'IE00B4BNMY34'])[1 + i % 4] END,
    (ARRAY['XETR', 'XPAR', 'XAMS'])[1 + i % 3],
    CASE WHEN i % 2 = 0 THEN 'BUYI' ELSE 'SELL' END,
    ((i * 37) % 10000 + 1)::numeric(18, 4),
    (50 + ((i * 7919) % 100000) / 1000.0)::numeric(18, 5),
    'EUR',
    date '2026-03-03' + (i / 72),
    i % 11 = 0,
    CASE WHEN i % 5 = 0 THEN NULL ELSE 'TRADER' || lpad((i % 40)::text, 2, '0') END
FROM generate_series(0, 1999) AS i;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reporter;
ANALYZE;
