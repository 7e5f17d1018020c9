-- Who may log in, sessions, and failed log-ins.

CREATE TABLE users (
    tenant        uuid NOT NULL REFERENCES tenants (uid),
    id            uuid NOT NULL,
    name          text NOT NULL CHECK (name ~ '^[A-Za-z0-9][-._@A-Za-z0-9]{0,62}$'),
    roles         text[] NOT NULL CHECK (cardinality(roles) BETWEEN 1 AND 8),
    password      text NOT NULL,
    -- A one-time password opens one session, until it expires; the user then sets one of their own.
    one_time      boolean NOT NULL DEFAULT false,
    one_time_ends timestamptz,
    one_time_used timestamptz,
    disabled      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
);

CREATE TABLE refresh_tokens (
    tenant     uuid NOT NULL,
    id         uuid NOT NULL,
    -- All tokens that descend from one log-in; reuse of an old one revokes them all.
    family     uuid NOT NULL,
    user_id    uuid NOT NULL,
    -- SHA-256 of the token's secret: a stolen table opens nothing.
    hash       bytea NOT NULL CHECK (length(hash) = 32),
    issued_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (tenant, family);
CREATE INDEX refresh_tokens_user ON refresh_tokens (tenant, user_id);

-- Counted for names that do not exist as well, so that an answer does not tell whether one does; hence no foreign key.
CREATE TABLE login_attempts (
    tenant     uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) <= 64),
    attempts   integer NOT NULL,
    started_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX login_attempts_started ON login_attempts (tenant, started_at);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['users', 'refresh_tokens', 'login_attempts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY by_tenant ON %I USING (tenant = openreg_tenant()) WITH CHECK (tenant = openreg_tenant())', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO openreg_app', t);
    END LOOP;
END
$$;
