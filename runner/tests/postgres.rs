//! PostgreSQL as a source, against a real server: every type to the byte, and every way to be refused.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use openreg_parts::error::{Class, Classified as _};
use openreg_parts::secrets::SecretFiles;
use openreg_parts::source::{Access, Query, SourceLimits, SourceOptions, open};
use serde_json::{Value, json};
use support::postgres::Postgres;

/// What a case changes in the plan: JSON pointers and values.
type Changes = Vec<(String, Value)>;

fn ground(postgres: &Postgres) -> (tempfile::TempDir, Value) {
    let directory = tempfile::tempdir().unwrap();
    support::sqlite(directory.path(), "");
    let mut plan = support::plan(include_str!("golden/every_type/plan.json"), directory.path());
    plan["connectors"]["db"] = postgres.connector();
    plan["datasets"][0]["key"] = json!([]);
    (directory, plan)
}

#[tokio::test]
async fn conforms() {
    let Some(postgres) = Postgres::start("conforms").await else { return };
    postgres.execute(openreg_parts::conformance::source::TABLE).await;
    let (_directory, plan) = ground(&postgres);
    let options: SourceOptions = serde_json::from_value(plan["connectors"]["db"]["source"].clone()).unwrap();
    let secret = &plan["connectors"]["db"]["credentials"];
    let credentials = SecretFiles::new("db", secret["path"].as_str().unwrap());
    openreg_parts::conformance::source::suite(&options, Some(&credentials)).await;
}

#[tokio::test]
async fn every_type_is_kept_exactly() {
    let Some(postgres) = Postgres::start("every_type_is_kept_exactly").await else {
        return;
    };
    postgres
        .execute(
            r#"CREATE TYPE colour AS ENUM ('red', 'blue, pale');
            CREATE DOMAIN price AS numeric(12,2);
            CREATE TABLE t (id int2, b bool, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(38,10), free numeric, p price, t text, v varchar(10), c char(5), nm name,
                            d date, ts timestamp, tz timestamptz, u uuid, j json, jb jsonb, raw bytea, e colour, tm time, o oid);
            INSERT INTO t VALUES
              (1, true, -2147483648, 9223372036854775807, 0.1, 0.1, 1234567890123456789012345678.0123456789, 0.000012300, -1.5, 'a,b', 'v', 'c', 'n',
               '2026-03-02', '2026-07-15 12:00:00.25', '2026-03-02 05:06:07.123456+01', '0b5f9c2e-8a54-4a0a-8f2e-6d5a7c1e3b90', '{"a": 1}', '{"a": 1}', '\x00ff', 'blue, pale', '23:59:59.5', 4294967295),
              (2, false, 0, -1, -1e30, 1e-300, 0, 100000000000000000000000000000000000000000.5, 0, '', '', '', '',
               '0001-01-01', '9999-12-31 22:59:59', '1969-12-31 23:59:59Z', '00000000-0000-0000-0000-000000000000', 'null', '[]', '', 'red', '00:00', 0),
              (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);"#,
        )
        .await;
    let (directory, mut plan) = ground(&postgres);
    plan["datasets"][0]["query"] = "SELECT * FROM t ORDER BY id".into();
    plan["datasets"][0]["key"] = json!(["id"]);
    let generated = support::run(&plan, "pod-1").await.unwrap();
    let bytes = support::object(directory.path(), &generated.manifest.artifacts[0].key).unwrap();
    let expected = concat!(
        "id,b,i4,i8,f4,f8,n,free,p,t,v,c,nm,d,ts,tz,u,j,jb,raw,e,tm,o\n",
        "1,true,-2147483648,9223372036854775807,0.1,0.1,1234567890123456789012345678.0123456789,0.000012300,-1.50,\"a,b\",v,c    ,n,",
        "2026-03-02,2026-07-15T10:00:00.250000Z,2026-03-02T04:06:07.123456Z,0b5f9c2e-8a54-4a0a-8f2e-6d5a7c1e3b90,\"{\"\"a\"\": 1}\",\"{\"\"a\"\": 1}\",00ff,\"blue, pale\",23:59:59.500000,4294967295\n",
        "2,false,0,-1,-1e30,1e-300,0.0000000000,100000000000000000000000000000000000000000.5,0.00,\"\",\"\",     ,\"\",",
        "0001-01-01,9999-12-31T21:59:59Z,1969-12-31T23:59:59Z,00000000-0000-0000-0000-000000000000,null,[],\"\",red,00:00:00,0\n",
        "3,,,,,,,,,,,,,,,,,,,,,,\n",
    );
    assert_eq!(String::from_utf8_lossy(&bytes), expected);

    // Every kind of bound value, and casts of placeholders.
    plan["run"]["id"] = "bound".into();
    plan["datasets"][0]["key"] = json!([]);
    plan["datasets"][0]["query"] = "SELECT :s AS s, :i + 1 AS i, :n::numeric(10,3) AS n, :b AS b, :d + 1 AS d, :t AS t, id FROM t WHERE e = :e AND d = :d AND i4 < :i AND ts > :t::timestamptz - interval '1 year'".into();
    plan["datasets"][0]["parameters"] = json!({"s": {"string": "it's ' OR 1=1 --"}, "i": {"integer": "41"}, "n": {"decimal": "1.25"}, "b": {"boolean": true}, "d": {"date": "2026-03-02"}, "t": {"dateTime": "2026-03-02T00:00:00Z"}, "e": {"string": "blue, pale"}});
    let generated = support::run(&plan, "pod-1").await.unwrap();
    let bytes = support::object(directory.path(), &generated.manifest.artifacts[0].key).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        "s,i,n,b,d,t,id\nit's ' OR 1=1 --,42,1.250,true,2026-03-03,2026-03-02T00:00:00Z,1\n"
    );

    // A column without a zone is compared in the connector's zone: 12:00 in Berlin is 10:00 UTC in July.
    plan["run"]["id"] = "zone".into();
    plan["datasets"][0]["query"] = "SELECT id FROM t WHERE ts >= :t AND ts < :u".into();
    plan["datasets"][0]["parameters"] = json!({"t": {"dateTime": "2026-07-15T10:00:00Z"}, "u": {"dateTime": "2026-07-15T10:00:01Z"}});
    assert_eq!(support::run(&plan, "pod-1").await.unwrap().done.totals.unwrap().read, 1);

    for (column, query, code) in [
        ("free", "SELECT 1 AS id, 'NaN'::numeric AS free", "ValueOutOfRange"),
        ("f8", "SELECT 'Infinity'::float8 AS f8", "ValueOutOfRange"),
        ("d", "SELECT '0044-03-15 BC'::date AS d", "ValueOutOfRange"),
        ("d", "SELECT 'infinity'::date AS d", "ValueOutOfRange"),
        ("tz", "SELECT '-infinity'::timestamptz AS tz", "ValueOutOfRange"),
        ("ts", "SELECT '2026-03-29 02:30'::timestamp AS ts", "ValueOutOfRange"),
        ("iv", "SELECT interval '1 day' AS iv", "ColumnTypeUnsupported"),
        ("arr", "SELECT array[1,2] AS arr", "ColumnTypeUnsupported"),
    ] {
        plan["run"]["id"] = "bad".into();
        plan["datasets"][0]["query"] = query.into();
        plan["datasets"][0]["parameters"] = json!({});
        let error = support::failure(&plan).await;
        assert_eq!(error.code, code, "{query}: {error}");
        assert!(error.message.contains(&format!("column {column}")), "{query}: {error}");
    }
    plan["datasets"][0]["query"] = "SELECT 1.005 AS x UNION ALL SELECT 1".into();
    plan["datasets"][0]["columns"] = json!({"x": {"decimal": [10, 2]}});
    let error = support::failure(&plan).await;
    assert_eq!(
        error.message,
        "could not read row 1, column x: the value has more decimal places than its declared scale"
    );
}

#[tokio::test]
async fn every_refusal_says_why() {
    let Some(postgres) = Postgres::start("every_refusal_says_why").await else {
        return;
    };
    postgres
        .execute("CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, 'CANARY'); CREATE SEQUENCE s; CREATE ROLE poor LOGIN PASSWORD 'poor'; CREATE ROLE crowd LOGIN PASSWORD 'crowd' CONNECTION LIMIT 0;")
        .await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let allowed = format!("127.0.0.1:{closed}\nno-such-host.invalid:{}\n", postgres.port);
    let secret = |name: &str, changes: &[(&str, Option<&str>)]| postgres.secret(name, changes);
    let set = |path: &str, value: Value| (path.to_owned(), value);
    let query = |text: &str| vec![set("/datasets/0/query", text.into())];
    let credentials = |value: Value| vec![set("/connectors/db/credentials", value)];
    let table: Vec<(Changes, &str, Class)> = vec![
        (credentials(secret("wrong", &[("password", Some("wrong"))])), "PasswordRefused", Class::Config),
        (credentials(secret("nobody", &[("username", Some("nobody"))])), "PasswordRefused", Class::Config),
        (
            credentials(secret("foreign", &[("allowedHosts", Some("elsewhere:5432"))])),
            "SecretHostNotAllowed",
            Class::Config,
        ),
        (credentials(secret("open", &[("allowedHosts", None)])), "SecretKeyMissing", Class::Config),
        (credentials(secret("half", &[("password", None)])), "SecretKeyMissing", Class::Config),
        (credentials(json!({"name": "gone", "path": "/nonexistent"})), "SecretMissing", Class::Config),
        (
            credentials(secret("limit", &[("username", Some("crowd")), ("password", Some("crowd"))])),
            "ServerUnavailable",
            Class::Transient,
        ),
        (
            vec![set("/connectors/db/source/postgres/database", "nope".into())],
            "DatabaseMissing",
            Class::Config,
        ),
        (
            vec![
                set("/connectors/db/source/postgres/port", closed.into()),
                set("/connectors/db/credentials", secret("closed", &[("allowedHosts", Some(&allowed))])),
            ],
            "ConnectionRefused",
            Class::Transient,
        ),
        (
            vec![
                set("/connectors/db/source/postgres/host", "no-such-host.invalid".into()),
                set("/connectors/db/credentials", secret("unknown", &[("allowedHosts", Some(&allowed))])),
            ],
            "HostUnknown",
            Class::Transient,
        ),
        (query("SELECT 1 AS a; SELECT 2 AS b"), "QueryNotSingle", Class::Config),
        (query("SELECT 1 AS a; COMMIT; DROP TABLE t"), "QueryNotSingle", Class::Config),
        (query("INSERT INTO t VALUES (2, 'x') RETURNING id"), "QueryWrites", Class::Config),
        (
            query("WITH gone AS (DELETE FROM t RETURNING id) SELECT * FROM gone"),
            "QueryWrites",
            Class::Config,
        ),
        (query("SELECT nextval('s') AS n"), "QueryWrites", Class::Config),
        (
            query("SELECT set_config('transaction_read_only', 'off', false) AS x, nextval('s') AS n"),
            "QueryWrites",
            Class::Config,
        ),
        (query("DROP TABLE t"), "QueryInvalid", Class::Config),
        (query("COMMIT"), "QueryInvalid", Class::Config),
        (query(""), "QueryInvalid", Class::Config),
        (query("SELECT nope FROM t"), "QueryInvalid", Class::Config),
        (query("SELECT id FROM t WHERE id = $1"), "QueryInvalid", Class::Config),
        (query("SELECT 1 FROM nope"), "QueryInvalid", Class::Config),
        (query("SELEC 1"), "QueryInvalid", Class::Config),
        (query("SELECT id / 0 AS x FROM t"), "ValueRefused", Class::Data),
        (query("SELECT name::int AS x FROM t"), "ValueRefused", Class::Data),
        (
            [
                query("SELECT * FROM t"),
                credentials(secret("poor", &[("username", Some("poor")), ("password", Some("poor"))])),
            ]
            .concat(),
            "PermissionDenied",
            Class::Config,
        ),
        (
            [
                query("SELECT pg_sleep(30)::text AS x"),
                vec![set("/connectors/db/limits", json!({"firstRowTimeout": "300ms"}))],
            ]
            .concat(),
            "FirstRowTimeout",
            Class::Config,
        ),
        (
            [
                query("SELECT pg_sleep(30)::text AS x"),
                vec![set("/connectors/db/limits", json!({"statementTimeout": "300ms"}))],
            ]
            .concat(),
            "StatementTimeout",
            Class::Config,
        ),
    ];
    for (changes, code, class) in table {
        let (_directory, mut plan) = ground(&postgres);
        plan["datasets"][0]["query"] = "SELECT id FROM t".into();
        for (path, value) in &changes {
            *plan.pointer_mut(path).unwrap() = value.clone();
        }
        let began = Instant::now();
        let error = support::failure(&plan).await;
        assert_eq!((error.code.as_str(), error.class), (code, class), "{changes:?}: {error}");
        assert!(error.hint.is_some(), "{changes:?}");
        for hidden in ["CANARY", "wrong", &postgres.password] {
            assert!(
                !format!("{error:?}").contains(hidden) || code == "SecretHostNotAllowed",
                "{changes:?}: {error:?}"
            );
        }
        assert!(began.elapsed() < Duration::from_secs(15), "{changes:?}");
    }
    postgres
        .execute("DO $$ BEGIN ASSERT (SELECT count(*) = 1 FROM t); ASSERT (SELECT last_value = 1 AND NOT is_called FROM s); END $$")
        .await;
    // A query that nobody waits for any more does not run on.
    tokio::time::sleep(Duration::from_millis(500)).await;
    postgres.execute("DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()); END $$").await;
}

#[tokio::test]
async fn a_server_that_goes_away_is_transient() {
    let Some(postgres) = Postgres::start("a_server_that_goes_away_is_transient").await else {
        return;
    };
    let (_directory, plan) = ground(&postgres);
    let options: SourceOptions = serde_json::from_value(plan["connectors"]["db"]["source"].clone()).unwrap();
    let credentials = SecretFiles::new("db", plan["connectors"]["db"]["credentials"]["path"].as_str().unwrap());
    let (limits, parameters, columns) = (SourceLimits::default(), BTreeMap::new(), BTreeMap::new());
    let access = Access {
        credentials: Some(&credentials),
        limits: &limits,
        time_zone: "UTC",
    };
    let mut source = open(
        &options,
        access,
        Query {
            text: "SELECT i FROM generate_series(1, 20000000) AS i",
            parameters: &parameters,
            columns: &columns,
        },
    )
    .await
    .unwrap();
    assert!(source.next().await.unwrap().is_some());
    postgres
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'openreg'")
        .await;
    let error = loop {
        match source.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("all rows came"),
            Err(error) => break error,
        }
    };
    assert_eq!((error.code(), error.class()), ("ConnectionLost", Class::Transient));
}

/// Something in between that carries `most` bytes of answers and then nothing more, without hanging up.
async fn falls_silent(to: u16, most: usize) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let server = tokio::net::TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
                let there = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let (mut block, mut carried) = (vec![0; 16 << 10], 0);
                while carried < most {
                    let read = from_server.read(&mut block).await.unwrap();
                    if read == 0 || to_client.write_all(&block[..read]).await.is_err() {
                        return;
                    }
                    carried += read;
                }
                there.await.unwrap().unwrap();
            });
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_falls_silent_is_not_waited_for_without_end() {
    let Some(postgres) = Postgres::start("a_server_that_falls_silent_is_not_waited_for_without_end").await else {
        return;
    };
    let (_directory, mut plan) = ground(&postgres);
    plan["datasets"][0]["query"] = "SELECT generate_series(1, 20000000) AS i, repeat('x', 100) AS x".into();
    // In the middle of the rows, and before the server said anything.
    for (most, code) in [(1 << 20, "ConnectionLost"), (0, "ConnectTimeout")] {
        let port = falls_silent(postgres.port, most).await;
        let allowed = format!("127.0.0.1:{port}\n");
        plan["connectors"]["db"]["source"]["postgres"]["port"] = port.into();
        plan["connectors"]["db"]["credentials"] = postgres.secret("silent", &[("allowedHosts", Some(&allowed))]);
        plan["connectors"]["db"]["limits"] = json!({"connectTimeout": "2s", "statementTimeout": "1s"});
        let began = Instant::now();
        let error = support::failure(&plan).await;
        assert_eq!((error.code.as_str(), error.class), (code, Class::Transient), "{error}");
        assert!(error.hint.is_some() && began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn tls_is_what_the_mode_says() {
    let Some(postgres) = Postgres::start("tls_is_what_the_mode_says").await else {
        return;
    };
    let Some(authority) = postgres.authority() else {
        println!("SKIPPED: tls_is_what_the_mode_says: only a private server has a known authority");
        return;
    };
    let stranger = {
        let other = Postgres::start("tls_is_what_the_mode_says").await;
        other.and_then(|o| o.authority()).unwrap()
    };
    let used = "SELECT ssl::text AS ssl, version LIKE 'TLSv1.%' AS modern FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    for (host, mode, ca, expected) in [
        ("localhost", "VerifyFull", Some(authority.as_str()), Ok("true,true")),
        ("localhost", "RequireUnverified", None, Ok("true,true")),
        ("127.0.0.1", "RequireUnverified", None, Ok("true,true")),
        ("localhost", "Disable", None, Ok("false,")),
        // The certificate is for another name, from another authority, or the authority is no certificate.
        ("127.0.0.1", "VerifyFull", Some(authority.as_str()), Err("TlsFailed")),
        ("localhost", "VerifyFull", Some(stranger.as_str()), Err("TlsFailed")),
        ("localhost", "VerifyFull", Some("nonsense"), Err("TlsFailed")),
        (
            "localhost",
            "VerifyFull",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            Err("TlsFailed"),
        ),
    ] {
        let (directory, mut plan) = ground(&postgres);
        plan["connectors"]["db"]["source"]["postgres"]["host"] = host.into();
        plan["connectors"]["db"]["source"]["postgres"]["tls"] = match ca {
            Some(_) => json!({"mode": mode, "caKey": "ca.crt"}),
            None => json!({"mode": mode}),
        };
        plan["connectors"]["db"]["credentials"] = postgres.secret("tls", &[("ca.crt", ca)]);
        plan["datasets"][0]["query"] = used.into();
        match expected {
            Ok(line) => {
                let generated = support::run(&plan, "pod-1").await.unwrap();
                let bytes = support::object(directory.path(), &generated.manifest.artifacts[0].key).unwrap();
                assert_eq!(String::from_utf8_lossy(&bytes), format!("ssl,modern\n{line}\n"), "{host} {mode}");
            }
            Err(code) => assert_eq!(support::failure(&plan).await.code, code, "{host} {mode}"),
        }
    }
}
