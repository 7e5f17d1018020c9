-- What happened, append-only, hash-chained per tenant. An entry is written in the transaction of what it records.

CREATE TABLE audit (
    tenant  uuid NOT NULL,
    seq     bigint NOT NULL CHECK (seq >= 1),
    at      timestamptz NOT NULL,
    actor   text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    -- json, not jsonb: the text is hashed, so it must come back as it went in.
    detail  json NOT NULL,
    prev    bytea NOT NULL CHECK (length(prev) = 32),
    hash    bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant, seq)
);
CREATE INDEX audit_action ON audit (tenant, action, seq DESC);
CREATE INDEX audit_subject ON audit (tenant, subject, seq DESC);
-- What the recorder writes, it writes once for each run, however often it sees the run.
CREATE UNIQUE INDEX audit_once ON audit (tenant, subject, action) WHERE action LIKE 'run.%' OR action LIKE 'delivery.%';

ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY read_own ON audit FOR SELECT USING (tenant = openreg_tenant());
CREATE POLICY append_own ON audit FOR INSERT WITH CHECK (tenant = openreg_tenant());
GRANT SELECT, INSERT ON audit TO openreg_app;

-- The owner too is refused: whoever wants to change an entry must drop the trigger, and the chain still tells.
CREATE FUNCTION openreg_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit table is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION openreg_audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION openreg_audit_refuse();

-- An entry continues the chain or is refused, whatever the program that writes it believes.
CREATE FUNCTION openreg_audit_continue() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last audit%ROWTYPE;
BEGIN
    SELECT * INTO last FROM audit WHERE tenant = NEW.tenant ORDER BY seq DESC LIMIT 1;
    IF NEW.seq <> coalesce(last.seq, 0) + 1 OR NEW.prev <> coalesce(last.hash, decode(repeat('00', 32), 'hex')) THEN
        RAISE EXCEPTION 'the audit entry % does not continue the chain', NEW.seq USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_continues BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION openreg_audit_continue();
