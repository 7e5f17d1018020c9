-- The history of runs: written by the recorder alone.

CREATE TABLE runs (
    tenant          uuid NOT NULL REFERENCES tenants (uid),
    id              uuid NOT NULL,
    name            text NOT NULL,
    report          text NOT NULL,
    version         text,
    period_start    text NOT NULL,
    period_end      text NOT NULL,
    trigger         text NOT NULL,
    mode            text NOT NULL,
    requested_by    text,
    schedule        text,
    slot            text,
    parameters      jsonb NOT NULL,
    cancelled       jsonb,
    phase           text,
    outcome         text,
    conditions      jsonb NOT NULL,
    failure         jsonb,
    attempt         jsonb,
    counts          jsonb,
    usage           jsonb,
    plan_sha256     text,
    manifest_key    text,
    manifest_sha256 text,
    -- Out of the sealed manifest, once it is read: rows per dataset, violations per rule, where all violations lie.
    datasets        jsonb,
    rules           jsonb,
    violations      jsonb,
    manifest_read   boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    -- When the object was seen to be gone although the run had not ended.
    lost_at         timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);
-- Keyset paging, newest first, with each filter.
CREATE INDEX runs_newest ON runs (tenant, created_at DESC, id DESC);
CREATE INDEX runs_report ON runs (tenant, report, created_at DESC, id DESC);
CREATE INDEX runs_outcome ON runs (tenant, outcome, created_at DESC, id DESC);
CREATE INDEX runs_open ON runs (tenant) WHERE outcome IS NULL AND lost_at IS NULL;

CREATE TABLE artifacts (
    tenant     uuid NOT NULL,
    run        uuid NOT NULL,
    ordinal    integer NOT NULL,
    name       text NOT NULL,
    key        text NOT NULL,
    size       bigint NOT NULL,
    sha256     text NOT NULL,
    records    bigint NOT NULL,
    media_type text NOT NULL,
    PRIMARY KEY (tenant, run, name),
    FOREIGN KEY (tenant, run) REFERENCES runs (tenant, id)
);

CREATE TABLE deliveries (
    tenant         uuid NOT NULL,
    run            uuid NOT NULL,
    ordinal        integer NOT NULL,
    destination    text NOT NULL,
    state          text NOT NULL,
    attempts       integer NOT NULL,
    begun          boolean NOT NULL,
    remote         text,
    receipt_sha256 text,
    failure        jsonb,
    finished_at    timestamptz,
    PRIMARY KEY (tenant, run, destination),
    FOREIGN KEY (tenant, run) REFERENCES runs (tenant, id)
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['runs', 'artifacts', 'deliveries'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY by_tenant ON %I USING (tenant = openreg_tenant()) WITH CHECK (tenant = openreg_tenant())', t);
        -- History is not deleted by the program.
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO openreg_app', t);
    END LOOP;
END
$$;
