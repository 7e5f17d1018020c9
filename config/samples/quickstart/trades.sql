-- The data of quickstart.yaml: 260 trades, 250 of them on 2 March 2026. `openreg run` executes these statements into a
-- SQLite database of its own for each run, so this text is all there is.
CREATE TABLE trades (
    trade_ref   TEXT PRIMARY KEY,
    trade_time  TIMESTAMP NOT NULL,
    buyer_lei   TEXT,
    isin        TEXT NOT NULL,
    side        TEXT NOT NULL,
    quantity    INTEGER NOT NULL,
    price       DECIMAL(18, 4) NOT NULL,
    trader      TEXT
);

WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 259)
INSERT INTO trades
SELECT
    printf('T%05d', i),
    strftime('%Y-%m-%dT%H:%M:%SZ', '2026-03-02 07:00:00', (i * 240 + CASE WHEN i < 250 THEN 0 ELSE 24 * 3600 END) || ' seconds'),
    CASE i % 3 WHEN 0 THEN '529900T8BM49AURSDO55' WHEN 1 THEN '9695005MSX1OYEMGDF46' ELSE '213800WSGIIZCXF1P572' END,
    CASE i % 4 WHEN 0 THEN 'DE000BASF111' WHEN 1 THEN 'FR0000120271' WHEN 2 THEN 'NL0010273215' ELSE 'IE00B4BNMY34' END,
    CASE i % 2 WHEN 0 THEN 'BUYI' ELSE 'SELL' END,
    (i * 37) % 1000 + 1,
    printf('%d.%04d', 50 + (i * 79) % 100, (i * 7919) % 10000),
    CASE WHEN i % 5 = 0 THEN NULL ELSE printf('Müller, desk "%d"', i % 7) END
FROM numbers;

-- What is wrong on purpose: three trades without a buyer's LEI, and two ISINs that are none.
UPDATE trades SET buyer_lei = NULL WHERE trade_ref IN ('T00042', 'T00117', 'T00203');
UPDATE trades SET isin = 'DE000BASF11' WHERE trade_ref = 'T00064';
UPDATE trades SET isin = 'fr0000120271' WHERE trade_ref = 'T00181';
