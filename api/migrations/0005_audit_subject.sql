-- The entries about a subject and about what belongs to it (run/…, run/…/delivery/…), whatever the database's collation.
DROP INDEX audit_subject;
CREATE INDEX audit_subject ON audit (tenant, subject text_pattern_ops, seq DESC);
