-- Roles, the tenant of a session, and tenants themselves.
--
-- Two roles: the owner runs migrations; openreg_app, which every connection of serve and record takes with SET ROLE,
-- has neither BYPASSRLS nor the right to change a table. Every table forces row-level security, the owner included.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'openreg_app') THEN
        CREATE ROLE openreg_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
EXCEPTION
    -- A second database of the same server is being migrated at the same time.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

DO $$
BEGIN
    EXECUTE format('GRANT openreg_app TO %I', current_user);
EXCEPTION
    -- An owner that may not grant roles: somebody who may has done so before.
    WHEN insufficient_privilege THEN
        IF NOT pg_has_role(current_user, 'openreg_app', 'MEMBER') THEN
            RAISE;
        END IF;
END
$$;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO openreg_app', current_schema());
END
$$;

-- readyz compares the newest applied migration with the one that the program was built with.
GRANT SELECT ON _sqlx_migrations TO openreg_app;

-- The tenant of the transaction; NULL, which equals nothing, when none is set.
CREATE FUNCTION openreg_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('openreg.tenant', true), '')::uuid $$;

-- An instant as RFC 3339, UTC, microseconds: the only form in which instants leave the database.
CREATE FUNCTION openreg_rfc3339(instant timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

CREATE TABLE tenants (
    uid        uuid PRIMARY KEY,
    namespace  text NOT NULL CHECK (length(namespace) BETWEEN 1 AND 63),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tenants IS 'A namespace labelled openreg.io/tenant; its uid is the tenant''s identity everywhere';
-- A namespace that was deleted and made again is another tenant of the same name; the newest is meant.
CREATE INDEX tenants_namespace ON tenants (namespace, created_at DESC);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
-- Log-in knows a name only: who knows it sees that one row.
CREATE POLICY by_tenant ON tenants
    USING (uid = openreg_tenant() OR namespace = nullif(current_setting('openreg.namespace', true), ''))
    WITH CHECK (uid = openreg_tenant());
GRANT SELECT, INSERT ON tenants TO openreg_app;
