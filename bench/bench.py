#!/usr/bin/env python3
"""Measures OpenReg beside its baseline, in turn, in one run; writes results/latest.json and the table in README.md.

    bench.py [--name csv|csv-s3] [--rows N] [--runs N]

Expects a release build of openreg-runner and the servers of tests/services; scripts/bench.sh provides both. A run is timed
as a whole process, from its start to its end, so connecting, planning and the last byte on disk are in it.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLUMNS = """
  i::bigint AS id, 'TRADE-' || lpad(i::text, 10, '0') AS trade_ref, (i % 7)::int AS book, (i % 1000)::smallint AS desk,
  '529900T8BM49AURSDO55' AS reporting_lei, '9695005MSX1OYEMGDF46' AS buyer_lei, 'DE000BASF111' AS isin, 'XETR' AS mic,
  'EUR' AS currency, CASE WHEN i % 2 = 0 THEN 'BUYI' ELSE 'SELL' END AS side,
  ((i % 100000)::numeric / 100)::numeric(18,2) AS price, ((i % 5000) + 1)::numeric(18,4) AS quantity,
  (((i % 100000)::numeric / 100) * ((i % 5000) + 1))::numeric(24,6) AS notional,
  date '2026-01-01' + (i % 365)::int AS trade_date, date '2026-01-03' + (i % 365)::int AS settlement_date,
  timestamptz '2026-01-01 08:00:00+00' + (i % 31536000) * interval '1 second' AS trade_time,
  i % 3 = 0 AS short_sale, CASE WHEN i % 10 = 0 THEN NULL ELSE 'desk note ' || (i % 97) END AS note,
  'TRADER' || (i % 50) AS trader, (i % 9)::int AS waiver
"""
QUERY = "SELECT * FROM bench_trades ORDER BY id"


def sh(*args, **kw):
    return subprocess.run(args, check=True, text=True, capture_output=True, **kw).stdout


def psql(sql):
    return sh("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At", "-c", sql)


def seed(rows):
    have = psql("SELECT to_regclass('bench_trades')").strip()
    if have and int(psql("SELECT count(*) FROM bench_trades")) == rows:
        return
    print(f"seeding {rows} rows of 20 columns", flush=True)
    psql(f"DROP TABLE IF EXISTS bench_trades; CREATE TABLE bench_trades AS SELECT {COLUMNS} FROM generate_series(1, {rows}) i")
    psql("ALTER TABLE bench_trades ADD PRIMARY KEY (id)")
    psql("VACUUM ANALYZE bench_trades")  # refused beside another statement


def plan(work, store, credentials):
    """A plan without rules: the baseline checks nothing either."""
    secret = work / "secrets" / "connector"
    secret.mkdir(parents=True, exist_ok=True)
    host, port = os.environ["PGHOST"], os.environ["PGPORT"]
    (secret / "username").write_text(os.environ["PGUSER"])
    (secret / "password").write_text(os.environ.get("PGPASSWORD", ""))
    (secret / "allowedHosts").write_text(f"{host}:{port}\n")
    return {
        "version": 1,
        "run": {
            "id": "00000000-0000-4000-8000-000000000001", "name": "bench", "namespace": "bench",
            "tenant": "00000000-0000-4000-8000-000000000002", "report": "bench", "reportVersion": "1.0.0",
            "period": {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"},
            "plannedAt": "2027-01-01T00:00:00Z", "parameters": {},
        },
        "connectors": {"bench": {
            "source": {"postgres": {"host": host, "port": int(port), "database": os.environ["PGDATABASE"], "tls": {"mode": "Disable"}}},
            "credentials": {"name": "bench-db", "path": str(secret)}, "limits": {}, "timeZone": "UTC",
        }},
        "datasets": [{"name": "trades", "connector": "bench", "query": QUERY, "parameters": {}, "key": [], "columns": {}}],
        "rules": [], "fields": [], "output": {"csv": {"lineEnding": "Lf"}},
        "file": {"name": "bench.csv", "whenEmpty": "Nothing"},
        "store": {"options": store, "prefix": "bench/", **({"credentials": credentials} if credentials else {})},
        "destinations": [],
        "limits": {"timeoutSeconds": 3600, "scratch": str(work), "scratchBytes": 1 << 30},
    }


def ours(runner, work, plan_json, attempt):
    path = work / "plan.json"
    path.write_bytes(json.dumps(plan_json).encode())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    message = work / "termination.json"
    message.unlink(missing_ok=True)
    start = time.monotonic()
    done = subprocess.run(
        [runner, "generate", "--plan", str(path), "--plan-sha256", digest, "--attempt", "1", "--termination-path", str(message)],
        env={**os.environ, "POD_UID": f"bench-{attempt}"}, capture_output=True, text=True)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"the runner ended with {done.returncode}: {message.read_text() if message.exists() else done.stdout[-2000:]}")
    return seconds, json.loads(message.read_text())


def baseline(work):
    target = work / "baseline.csv"
    start = time.monotonic()
    psql(f"\\copy ({QUERY}) TO '{target}' WITH (FORMAT csv, HEADER)")
    seconds = time.monotonic() - start
    target.unlink()
    return seconds


def measure(name, runner, work, rows, runs):
    times, base, peak = [], [], 0
    for attempt in range(runs + 1):  # the first pair warms caches and is not counted
        store_dir = work / "store"
        shutil.rmtree(store_dir, ignore_errors=True)
        store_dir.mkdir()
        if name == "csv":
            options, credentials = {"directory": {"path": str(store_dir)}}, None
        else:
            secret = work / "secrets" / "store"
            secret.mkdir(parents=True, exist_ok=True)
            (secret / "accessKeyId").write_text(os.environ["S3_ACCESS_KEY"])
            (secret / "secretAccessKey").write_text(os.environ["S3_SECRET_KEY"])
            (secret / "allowedHosts").write_text(os.environ["S3_ENDPOINT"].split("://", 1)[1].rstrip("/") + "\n")
            options = {"s3": {"endpoint": os.environ["S3_ENDPOINT"], "region": "us-east-1", "bucket": os.environ["S3_BUCKET"], "pathStyle": True, "prefix": f"bench{time.time_ns()}/"}}
            credentials = {"name": "bench-store", "path": str(secret)}
        seconds, report = ours(runner, work, plan(work, options, credentials), attempt)
        other = baseline(work)
        if report["totals"]["reported"] != rows:
            sys.exit(f"{report['totals']['reported']} rows were reported, not {rows}")
        print(f"{name} {attempt}/{runs}: ours {seconds:.2f} s, psql \\copy {other:.2f} s", flush=True)
        if attempt > 0:
            times.append(seconds)
            base.append(other)
            peak = max(peak, report["usage"]["vmHwmBytes"])
    mine, theirs = statistics.median(times), statistics.median(base)
    return {"name": name, "ours": round(mine, 3), "baseline": round(theirs, 3), "ratio": round(mine / theirs, 3), "goal": 1.25 if name == "csv" else None,
            "unit": "s", "peakMiB": round(peak / (1 << 20), 1), "rows": rows, "runs": runs}


def table(results):
    lines = ["| entry | ours | baseline | ratio | goal | peak memory (VmHWM) | rows | runs |", "|---|---|---|---|---|---|---|---|"]
    for r in results:
        goal = f"at most {r['goal']}" if r["goal"] else "–"
        lines.append(f"| `{r['name']}` | {r['ours']:.2f} {r['unit']} | {r['baseline']:.2f} {r['unit']} | {r['ratio']:.2f} | {goal} | {r['peakMiB']:.0f} MiB | {r['rows']:,} × 20 | {r['runs']} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", choices=["csv", "csv-s3"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--runner", default="target/release/openreg-runner")
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    seed(args.rows)
    latest = HERE / "results" / "latest.json"
    results = {r["name"]: r for r in (json.loads(latest.read_text()) if latest.exists() else [])}
    for name in [args.name] if args.name else ["csv", "csv-s3"]:
        results[name] = measure(name, args.runner, args.work, args.rows, args.runs)
    ordered = [results[name] for name in sorted(results)]
    latest.parent.mkdir(exist_ok=True)
    latest.write_text(json.dumps(ordered, indent=2) + "\n")
    readme = HERE / "README.md"
    head, _, rest = readme.read_text().partition("<!-- results -->")
    _, _, tail = rest.partition("<!-- end of results -->")
    readme.write_text(f"{head}<!-- results -->\n\n{table(ordered)}\n\n<!-- end of results -->{tail}")
    print(table(ordered))


if __name__ == "__main__":
    main()
